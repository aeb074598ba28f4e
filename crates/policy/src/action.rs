//! The acts that need permission.

use std::fmt;

use serde::Deserialize;

/// An act on a case, or on the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Register sources and train models.
    Register,
    /// Write a model in a form that leaves this installation.
    Export,
    /// File a request.
    File,
    /// Work out a request's impact; this suppresses its sources.
    Plan,
    /// Approve the plan as it stands.
    Approve,
    /// Refuse a request.
    Refuse,
    /// Forbid zeroing.
    Hold,
    /// Agree to end a hold.
    Release,
    /// Deposit sealed probes before a takedown.
    DepositChallenge,
    /// Open deposited probes after it, and have them asked.
    OpenChallenge,
    /// Zero the sources.
    Execute,
    /// Lift a suppression.
    Undo,
    /// Judge what a takedown has done, and certify it.
    Verify,
    /// Verify a certified case again, and renew or suspend its certificate.
    Reverify,
    /// Make and remove schedules of repeated verifications, and revive work that failed.
    Schedule,
    /// Close what was found wrong with a certificate, which accepts it.
    CloseIncident,
    /// Hand out everything about a certified case; this signs and logs what was handed out.
    HandOut,
    /// Replace keys and take the trust from them.
    ManageKeys,
    /// Add people and roles.
    ManagePeople,
    /// Send the receipt of a request.
    Acknowledge,
    /// Ask the requester who they are, or what they mean.
    Ask,
    /// Record the requester's answer.
    Answer,
    /// Decide what a request is about and by which regime.
    Triage,
    /// Select the sources that a request means.
    MatchSources,
    /// Keep the sources from being used while the request is open.
    Suppress,
    /// Extend the clock of a request, with a letter that says why.
    Extend,
    /// Close a request as the same as another.
    MarkDuplicate,
    /// Take a request back.
    Withdraw,
    /// Record a counter-notice.
    CounterNotice,
    /// Record a complaint about how a request is treated.
    Complain,
    /// Note what came of a counter-notice or a complaint.
    SettleNotice,
    /// Write a letter in a case.
    WriteLetter,
    /// Grant a request for some of its sources and refuse it for the others.
    GrantPartially,
    /// Read a case, without the personal data in it.
    ReadCase,
    /// Read the personal data in a case.
    ReadPersonalData,
    /// Read the audit trail, of one case or of all.
    ReadAudit,
    /// Give a regulator access to cases for a time, and take it back.
    GrantAccess,
    /// Draw cases at random, to look at.
    SampleCases,
    /// Change the settings of the installation.
    ManageSettings,
    /// End the sessions of others.
    ManageSessions,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 40] = [
        Self::Register,
        Self::Export,
        Self::File,
        Self::Plan,
        Self::Approve,
        Self::Refuse,
        Self::Hold,
        Self::Release,
        Self::DepositChallenge,
        Self::OpenChallenge,
        Self::Execute,
        Self::Undo,
        Self::Verify,
        Self::Reverify,
        Self::Schedule,
        Self::CloseIncident,
        Self::HandOut,
        Self::ManageKeys,
        Self::ManagePeople,
        Self::Acknowledge,
        Self::Ask,
        Self::Answer,
        Self::Triage,
        Self::MatchSources,
        Self::Suppress,
        Self::Extend,
        Self::MarkDuplicate,
        Self::Withdraw,
        Self::CounterNotice,
        Self::Complain,
        Self::SettleNotice,
        Self::WriteLetter,
        Self::GrantPartially,
        Self::ReadCase,
        Self::ReadPersonalData,
        Self::ReadAudit,
        Self::GrantAccess,
        Self::SampleCases,
        Self::ManageSettings,
        Self::ManageSessions,
    ];

    /// The action of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The name in rules and audit events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Export => "export",
            Self::File => "file",
            Self::Plan => "plan",
            Self::Approve => "approve",
            Self::Refuse => "refuse",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::DepositChallenge => "deposit_challenge",
            Self::OpenChallenge => "open_challenge",
            Self::Execute => "execute",
            Self::Undo => "undo",
            Self::Verify => "verify",
            Self::Reverify => "reverify",
            Self::Schedule => "schedule",
            Self::CloseIncident => "close_incident",
            Self::HandOut => "hand_out",
            Self::ManageKeys => "manage_keys",
            Self::ManagePeople => "manage_people",
            Self::Acknowledge => "acknowledge",
            Self::Ask => "ask",
            Self::Answer => "answer",
            Self::Triage => "triage",
            Self::MatchSources => "match_sources",
            Self::Suppress => "suppress",
            Self::Extend => "extend",
            Self::MarkDuplicate => "mark_duplicate",
            Self::Withdraw => "withdraw",
            Self::CounterNotice => "counter_notice",
            Self::Complain => "complain",
            Self::SettleNotice => "settle_notice",
            Self::WriteLetter => "write_letter",
            Self::GrantPartially => "grant_partially",
            Self::ReadCase => "read_case",
            Self::ReadPersonalData => "read_personal_data",
            Self::ReadAudit => "read_audit",
            Self::GrantAccess => "grant_access",
            Self::SampleCases => "sample_cases",
            Self::ManageSettings => "manage_settings",
            Self::ManageSessions => "manage_sessions",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
