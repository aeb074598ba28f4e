//! Against forms that another site sends in somebody's name: where the request comes from, and a code in every form that
//! only this browser's pages can hold.
//!
//! The code is made with the session's own token, so that no key must be kept, and nobody else's session has the same. Not
//! here: cookies.

use actix_web::http::header::{HeaderMap, HeaderName, ORIGIN};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

use crate::{origin::Origin, token::Token};

/// The hidden field in every form.
pub(crate) const FIELD: &str = "form_code";

const PURPOSE: &str = "obelus/form/v1";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The code for a form. Masked anew each time, so that what is compressed with it does not tell it (BREACH).
pub(crate) fn code(token: &Token) -> anyhow::Result<String> {
    let mask = Token::random()?.code(PURPOSE);
    let mut bytes = mask.to_vec();
    bytes.extend(token.code(PURPOSE).iter().zip(mask).map(|(code, mask)| code ^ mask));
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether a form's code was made for this token.
pub(crate) fn is_code(token: &Token, code: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(code) else { return false };
    let Some((mask, masked)) = bytes.split_at_checked(32) else { return false };
    let unmasked: Vec<u8> = masked.iter().zip(mask).map(|(code, mask)| code ^ mask).collect();
    bytes.len() == 64 && unmasked.ct_eq(&token.code(PURPOSE)).into()
}

/// Whether the headers of a request that changes something say that one of our own pages sent it. A program that sends
/// neither header is let through to the check of the code.
pub(crate) fn is_from_here(headers: &HeaderMap, origin: &Origin) -> bool {
    let site = headers.get(FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none");
    site && headers.get(ORIGIN).is_none_or(|value| origin.is_named_by(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_code_is_good_for_its_token_alone_and_never_looks_the_same() {
        let (mine, other) = (Token::random().unwrap(), Token::random().unwrap());
        let (one, two) = (code(&mine).unwrap(), code(&mine).unwrap());
        assert_ne!(one, two);
        for code in [&one, &two] {
            assert!(is_code(&mine, code));
            assert!(!is_code(&other, code));
        }
        for bad in ["", "AAAA", &one[..80], &format!("{one}AA"), &two.replace(&two[..4], "AAAA")] {
            assert!(!is_code(&mine, bad), "{bad}");
        }
    }

    #[test]
    fn requests_from_elsewhere_are_told_by_either_header() {
        let origin: Origin = "https://obelus.example".parse().unwrap();
        for (site, from, ok) in [
            (Some("same-origin"), Some("https://obelus.example"), true),
            (None, Some("https://obelus.example"), true),
            (Some("same-origin"), None, true),
            (None, None, true),
            (Some("same-site"), Some("https://obelus.example"), false),
            (Some("cross-site"), None, false),
            (Some("same-origin"), Some("https://evil.example"), false),
            (None, Some("null"), false),
            (None, Some("http://obelus.example"), false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(FETCH_SITE, site), (ORIGIN, from)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            assert_eq!(is_from_here(&headers, &origin), ok, "{site:?} {from:?}");
        }
    }
}
