//! How often somebody may try: by address, by account, by token. Kept in memory and not in the database: each process counts for
//! itself, nobody outside can make it start again, and strangers make no rows and leave no addresses behind.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use obelus_core::Digest;

const fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("a literal above zero")
}

fn quota(burst: u32, one_per: Duration) -> Quota {
    Quota::with_period(one_per).expect("a literal above zero").allow_burst(count(burst))
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Limits {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    by_account: DefaultKeyedRateLimiter<Digest>,
    by_token: DefaultKeyedRateLimiter<i64>,
}

impl Limits {
    pub(crate) fn new() -> Self {
        Self {
            // An office behind one address signs in at nine.
            by_address: RateLimiter::keyed(quota(30, Duration::from_secs(2))),
            // Whoever guesses gets three thousand tries a day, and a person who mistypes does not notice.
            by_account: RateLimiter::keyed(quota(10, Duration::from_secs(30))),
            // A program goes through a queue of cases without waiting, and not through the log's disk: each step is signed.
            by_token: RateLimiter::keyed(quota(120, Duration::from_millis(250))),
        }
    }

    /// Whether `address` may send another form now.
    pub(crate) fn allow_address(&self, address: IpAddr) -> bool {
        self.by_address.check_key(&network(address)).is_ok()
    }

    /// Whether anybody may try a password for this name now. Of the name a hash is kept.
    pub(crate) fn allow_account(&self, name: &str) -> bool {
        self.by_account.check_key(&Digest::sha256(name)).is_ok()
    }

    /// Whether a program with the token of this number may change something now.
    pub(crate) fn allow_token(&self, id: i64) -> bool {
        self.by_token.check_key(&id).is_ok()
    }

    /// Forgets those who have been quiet for long enough.
    pub(crate) fn forget_the_quiet(&self) {
        self.by_address.retain_recent();
        self.by_account.retain_recent();
        self.by_token.retain_recent();
        self.by_address.shrink_to_fit();
        self.by_account.shrink_to_fit();
        self.by_token.shrink_to_fit();
    }
}

/// One customer has a whole /64 of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_or_name_is_stopped_and_others_are_not() {
        let limits = Limits::new();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let sent = (0..100).filter(|i| limits.allow_address(address(&format!("2001:db8::{i:x}")))).count();
        assert!((30..35).contains(&sent), "{sent} of one network");
        assert!(!limits.allow_address(address("2001:db8::ffff")));
        assert!(limits.allow_address(address("2001:db8:0:1::1")));
        assert!(limits.allow_address(address("192.0.2.1")));
        assert_eq!(network(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        let tried = (0..100).filter(|_| limits.allow_account("mara")).count();
        assert!((10..13).contains(&tried), "{tried}");
        assert!(limits.allow_account("ilse"));
        let done = (0..1000).filter(|_| limits.allow_token(1)).count();
        assert!((120..125).contains(&done), "{done}");
        assert!(limits.allow_token(2));
        limits.forget_the_quiet();
        assert!(!limits.allow_account("mara"));
    }
}
