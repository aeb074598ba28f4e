//! The address of one mailbox, in the plain form that every server takes: RFC 5321 section 4.1.2 without quoted local
//! parts, comments and address literals, and in ASCII. Not here: whether anybody reads what is sent there.

use std::{fmt, str::FromStr};

use lettre::Address;

/// RFC 5321 section 4.5.3.1.1.
const LONGEST_LOCAL_PART: usize = 64;
/// A path is at most 256 characters long with its angle brackets: RFC 5321 section 4.5.3.1.3.
const LONGEST_ADDRESS: usize = 254;

/// One checked address. Printing it for the log does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox(Address);

/// Why a text is not the address of one mailbox. It does not repeat the text, which is personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing, or more than an address can be.
    #[error("an address has 3 to {LONGEST_ADDRESS} characters, at most {LONGEST_LOCAL_PART} of them before the @")]
    Length,
    /// Not ASCII.
    #[error("an address is written in ASCII; write a domain name of other letters in its xn-- form")]
    NotAscii,
    /// Not one name, one @ and one domain.
    #[error("give one plain address such as name@example.org: no spaces, commas, quotes, brackets or line breaks")]
    Form,
}

impl Mailbox {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    /// What stands behind the @.
    pub(crate) fn domain(&self) -> &str {
        self.0.domain()
    }

    pub(crate) fn address(&self) -> Address {
        self.0.clone()
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox(..)")
    }
}

impl FromStr for Mailbox {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() < 3 || text.len() > LONGEST_ADDRESS {
            return Err(AddressError::Length);
        }
        if !text.is_ascii() {
            return Err(AddressError::NotAscii);
        }
        let (local, domain) = text.split_once('@').ok_or(AddressError::Form)?;
        if local.len() > LONGEST_LOCAL_PART {
            return Err(AddressError::Length);
        }
        if !local.split('.').all(is_atom) || !domain.split('.').all(is_label) {
            return Err(AddressError::Form);
        }
        Address::new(local, domain).map(Self).map_err(|_| AddressError::Form)
    }
}

/// RFC 5322 section 3.2.3.
fn is_atom(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
}

/// RFC 5321 section 4.1.2, `sub-domain`; at most 63 characters by RFC 1035 section 2.3.4.
fn is_label(part: &str) -> bool {
    let inner = part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (1..=63).contains(&part.len()) && inner && !part.starts_with('-') && !part.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_addresses_are_taken_as_they_are() {
        for text in ["anna@example.org", "a+b.c_d@mail.example.co.uk", "x@localhost", "o'neil@xn--bcher-kva.example"] {
            assert_eq!(text.parse::<Mailbox>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_not_one_plain_address_is_refused_and_not_repeated() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}org", "example.".repeat(40));
        for (text, error) in [
            ("", AddressError::Length),
            (&*long_local, AddressError::Length),
            (&*long, AddressError::Length),
            ("änna@example.org", AddressError::NotAscii),
            ("anna@bücher.example", AddressError::NotAscii),
            ("anna\u{202e}@example.org", AddressError::NotAscii),
            ("anna", AddressError::Form),
            ("anna@example.org\nBcc: eve@example.org", AddressError::Form),
            ("anna@example.org\r\n", AddressError::Form),
            ("anna@example.org,eve@example.org", AddressError::Form),
            ("anna@example.org;eve@example.org", AddressError::Form),
            ("anna@example.org eve@example.org", AddressError::Form),
            ("Anna <anna@example.org>", AddressError::Form),
            ("\"anna\"@example.org", AddressError::Form),
            ("anna@eve@example.org", AddressError::Form),
            ("anna..b@example.org", AddressError::Form),
            (".anna@example.org", AddressError::Form),
            ("anna@[127.0.0.1]", AddressError::Form),
            ("anna@-example.org", AddressError::Form),
            ("anna@example..org", AddressError::Form),
            ("anna@", AddressError::Form),
            ("@example.org", AddressError::Form),
            ("an\0a@example.org", AddressError::Form),
        ] {
            let refused = text.parse::<Mailbox>().unwrap_err();
            assert_eq!(refused, error, "{text:?}");
            assert!(!refused.to_string().contains("anna"));
        }
    }

    proptest! {
        #[test]
        fn no_address_holds_what_ends_a_header_or_begins_another_address(
            text in "[ -~\r\n]{0,4}[a-z,;<\"\r\n ]{1,8}@[a-z.,;>\r\n -]{1,9}[ -~\r\n\0]{0,4}"
        ) {
            if let Ok(address) = text.parse::<Mailbox>() {
                let graphic = address.as_str().bytes().all(|b| b.is_ascii_graphic());
                prop_assert!(graphic && !address.as_str().contains([',', ';', '<', '>', '"', ':']));
            }
        }
    }
}
