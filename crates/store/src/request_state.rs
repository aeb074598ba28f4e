//! The states of a request and the steps between them. Pure: not here is who may take a step, and what it does.

use crate::column::words;

words!(
    /// How far a request has come. A hold is not a state of its own: it forbids zeroing in any of them.
    RequestState {
        /// It was filed.
        Received = "received",
        /// The requester has a signed receipt.
        Acknowledged = "acknowledged",
        /// The requester is asked who they are, or whom they act for.
        IdentityPending = "identity_pending",
        /// The requester is asked what they mean.
        ScopePending = "scope_pending",
        /// It is known what is meant, and that it is to be done.
        Triaged = "triaged",
        /// Some of what was asked is refused, with a code and a reason; the rest is to be done.
        PartiallyGranted = "partially_granted",
        /// The sources' masks are not applied any more (L1, reversible).
        Suppressed = "suppressed",
        /// There is a plan, which says what zeroing will cost.
        ImpactAssessed = "impact_assessed",
        /// One person has approved the plan.
        ApprovedOnce = "approved_once",
        /// Two persons have approved the plan.
        ApprovedTwice = "approved_twice",
        /// The dispute window of its regime runs; it may be of no length.
        WindowOpen = "window_open",
        /// Rows are being zeroed. From here there is no way back.
        Zeroing = "zeroing",
        /// The struck model is being measured.
        Verifying = "verifying",
        /// It ended with verdict `verified`.
        Certified = "certified",
        /// It ended with verdict `verified_with_residual`.
        CertifiedWithResidual = "certified_with_residual",
        /// The verdict is `not_verified`: the request is open again.
        VerificationFailed = "verification_failed",
        /// It was refused, with a code and a reason.
        Refused = "refused",
        /// The requester took it back.
        Withdrawn = "withdrawn",
        /// Another request asks for the same.
        DuplicateOf = "duplicate_of",
        /// The suppression was lifted before anything was zeroed.
        Restored = "restored",
    }
);

/// Whether a request may go from one state to another in one step.
pub fn next_allowed(from: RequestState, to: RequestState) -> bool {
    use RequestState::*;
    match (from, to) {
        (Received, Acknowledged)
        | (Acknowledged, IdentityPending | ScopePending | Triaged)
        // What was asked is answered.
        | (IdentityPending | ScopePending, Acknowledged)
        | (Triaged, IdentityPending | ScopePending | PartiallyGranted | Suppressed)
        | (PartiallyGranted, Suppressed)
        | (Suppressed, ImpactAssessed)
        | (ImpactAssessed, ApprovedOnce)
        | (ApprovedOnce, ApprovedTwice)
        | (ApprovedTwice, WindowOpen)
        | (WindowOpen, Zeroing)
        | (Zeroing, Verifying)
        | (Verifying, Certified | CertifiedWithResidual | VerificationFailed)
        // Measured again, for instance against another baseline.
        | (VerificationFailed, Verifying)
        // Verified again, later: what was certified is open again, or says less.
        | (Certified | CertifiedWithResidual, VerificationFailed)
        | (Certified, CertifiedWithResidual)
        | (CertifiedWithResidual, Certified)
        // Another plan voids the approvals of the one before.
        | (ApprovedOnce | ApprovedTwice | WindowOpen, ImpactAssessed) => true,
        (_, Refused | Withdrawn | DuplicateOf) => is_reversible(from),
        // There is something to restore only where something was suppressed.
        (_, Restored) => is_reversible(from) && is_suppressed(from),
        _ => false,
    }
}

/// Whether nothing has been zeroed yet, and the request is open.
pub fn is_reversible(state: RequestState) -> bool {
    use RequestState::*;
    matches!(state, Received | Acknowledged | IdentityPending | ScopePending | Triaged | PartiallyGranted)
        || is_suppressed(state)
}

/// Whether its sources are suppressed and not zeroed yet.
pub fn is_suppressed(state: RequestState) -> bool {
    use RequestState::*;
    matches!(state, Suppressed | ImpactAssessed | ApprovedOnce | ApprovedTwice | WindowOpen)
}

/// Whether nothing is waited for any more, though a certificate may be verified again.
pub fn is_closed(state: RequestState) -> bool {
    use RequestState::*;
    matches!(state, Certified | CertifiedWithResidual | Refused | Withdrawn | DuplicateOf | Restored)
}

/// Whether a model may be served and certified while one of its requests is in this state, for all that the state says: not
/// while rows are being zeroed.
pub fn is_whole(state: RequestState) -> bool {
    state != RequestState::Zeroing
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{RequestState::*, *};

    fn reachable(from: RequestState) -> Vec<RequestState> {
        RequestState::ALL.iter().copied().filter(|to| next_allowed(from, *to)).collect()
    }

    #[test]
    fn zeroing_has_one_way_in_and_one_way_on() {
        let ways: Vec<_> = RequestState::ALL.iter().filter(|from| next_allowed(**from, Zeroing)).collect();
        assert_eq!(ways, [&WindowOpen]);
        assert_eq!(reachable(Zeroing), [Verifying]);
    }

    #[test]
    fn nothing_leaves_a_final_state() {
        for state in [Refused, Withdrawn, DuplicateOf, Restored] {
            assert_eq!(reachable(state), []);
        }
    }

    #[test]
    fn what_is_certified_changes_by_another_verdict_only() {
        assert_eq!(reachable(Certified), [CertifiedWithResidual, VerificationFailed]);
        assert_eq!(reachable(CertifiedWithResidual), [Certified, VerificationFailed]);
    }

    #[test]
    fn every_gate_lies_on_every_way_to_zeroing() {
        for without in [Acknowledged, Triaged, Suppressed, ImpactAssessed, ApprovedOnce, ApprovedTwice, WindowOpen] {
            let mut seen = vec![Received];
            let mut next = 0;
            while let Some(from) = seen.get(next).copied() {
                next += 1;
                let new: Vec<_> =
                    reachable(from).into_iter().filter(|to| *to != without && !seen.contains(to)).collect();
                seen.extend(new);
            }
            assert!(!seen.contains(&Zeroing), "zeroing is reached without {without}");
        }
    }

    #[test]
    fn every_state_is_reached_and_only_what_was_suppressed_is_restored() {
        let mut seen = vec![Received];
        let mut next = 0;
        while let Some(from) = seen.get(next).copied() {
            next += 1;
            seen.extend(reachable(from).into_iter().filter(|to| !seen.contains(to)).collect::<Vec<_>>());
        }
        assert_eq!(seen.len(), RequestState::ALL.len());
        for from in [Received, Acknowledged, IdentityPending, ScopePending, Triaged, PartiallyGranted] {
            assert!(!next_allowed(from, Restored), "{from}");
        }
    }

    #[test]
    fn what_is_zeroed_is_neither_refused_nor_withdrawn_nor_restored() {
        for from in [Zeroing, Verifying, VerificationFailed, Certified, CertifiedWithResidual] {
            for to in [Refused, Withdrawn, DuplicateOf, Restored, ImpactAssessed] {
                assert!(!next_allowed(from, to), "{from} to {to}");
            }
        }
    }

    proptest! {
        /// Whatever is tried in whatever order: once rows were zeroed the request never counts as untouched again, two
        /// approvals of one plan came before, and nothing is certified that was not measured after its zeroing ended.
        #[test]
        fn no_sequence_of_steps_certifies_what_was_not_zeroed_whole_and_measured(
            tries in prop::collection::vec(prop::sample::select(RequestState::ALL.to_vec()), 0..400),
        ) {
            let (mut at, mut walked) = (Received, vec![Received]);
            for to in tries {
                if next_allowed(at, to) {
                    at = to;
                    walked.push(to);
                }
            }
            let first = |state| walked.iter().position(|walked| *walked == state);
            if let Some(zeroed) = first(Zeroing) {
                prop_assert_eq!(&walked[zeroed - 4..zeroed], &[ImpactAssessed, ApprovedOnce, ApprovedTwice, WindowOpen]);
                prop_assert!(walked[zeroed..].iter().all(|state| !is_reversible(*state)));
                prop_assert_eq!(walked.iter().filter(|state| **state == Zeroing).count(), 1);
            }
            for (place, state) in walked.iter().enumerate() {
                if matches!(state, Certified | CertifiedWithResidual) {
                    let measured = walked[..place].iter().rposition(|state| *state == Verifying);
                    prop_assert!(first(Zeroing).zip(measured).is_some_and(|(zeroed, measured)| zeroed < measured));
                }
            }
        }
    }
}
