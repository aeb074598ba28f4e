//! The QR code that ties a paper to its file: certificate id, SHA-256 of the file and, where there is one, the address
//! under which the status can be asked for.

use std::fmt::Write as _;

use fast_qr::{ECL, QRBuilder, qr::QRCodeError};
use obelus_core::Digest;

use crate::ReportError;

/// Light modules around the code, as ISO/IEC 18004 wants them.
const QUIET: usize = 4;

/// The text in the code. With an address it is that address, so that a telephone opens it; id and digest stand behind
/// `#`, which browsers keep to themselves.
pub(crate) fn payload(id: &str, digest: &Digest, url: &str) -> String {
    let id = percent(id);
    if url.is_empty() {
        return format!("obelus-certificate?id={id}&sha256={digest}");
    }
    let joint = if url.contains('#') { '&' } else { '#' };
    format!("{url}{joint}id={id}&sha256={digest}")
}

/// The code as an SVG file, a unit a module.
///
/// # Errors
/// When the text is too long for any QR code.
pub(crate) fn svg(payload: &str) -> Result<String, ReportError> {
    // M: a quarter of a fold or a stain may cover is too little to plan for; 15 % is what paper in a file loses.
    let code = QRBuilder::new(payload).ecl(ECL::M).build().map_err(|e| match e {
        QRCodeError::EncodedData | QRCodeError::SpecifiedVersion => ReportError::TooLongForQr { bytes: payload.len() },
    })?;
    let side = code.size + 2 * QUIET;
    let mut path = String::new();
    for row in 0..code.size {
        for column in (0..code.size).filter(|column| code[row][*column].value()) {
            let _ = write!(path, "M{} {}h1v1h-1z", column + QUIET, row + QUIET);
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{side}\" height=\"{side}\" viewBox=\"0 0 {side} {side}\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#ffffff\"/><path d=\"{path}\" fill=\"#000000\"/></svg>"
    ))
}

/// Percent-encoding (RFC 3986) of everything but unreserved characters.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_has_id_digest_and_address() {
        let digest = Digest::sha256("file");
        assert_eq!(payload("CT 1", &digest, ""), format!("obelus-certificate?id=CT%201&sha256={digest}"));
        assert_eq!(payload("CT-1", &digest, "https://e.org/c"), format!("https://e.org/c#id=CT-1&sha256={digest}"));
        assert_eq!(payload("CT-1", &digest, "https://e.org/#c"), format!("https://e.org/#c&id=CT-1&sha256={digest}"));
    }

    #[test]
    fn what_fits_no_code_is_refused() {
        assert!(svg("short").is_ok());
        assert_eq!(svg(&"x".repeat(3000)), Err(ReportError::TooLongForQr { bytes: 3000 }));
    }
}
