//! The PDF of a certificate: PDF/A-3 with the certificate's own file attached. Not here: what is certified, and whether
//! it is true; both stand in the attached file, which alone is signed.

mod inputs;
mod page;
mod qr;
mod wording;

pub use page::{CertificatePage, ErasedCopy, Figure};
use wording::Standing;

use crate::{ReportError, spelling::Alphabet, typesetting};

const TEMPLATE: &str = include_str!("certificate/template.typ");

/// The title of a certificate with this verdict; none for a verdict that does not exist.
pub fn title(verdict: &str) -> Option<&'static str> {
    Standing::new(verdict).map(Standing::title)
}

/// The PDF (PDF/A-3a) of a certificate. The same page gives the same bytes.
///
/// # Errors
/// When the page contradicts itself, or cannot be set.
pub fn render(page: &CertificatePage) -> Result<Vec<u8>, ReportError> {
    let standing = wording::agree(page)?;
    let set = |alphabet| {
        let inputs = inputs::inputs(page, standing, alphabet)?;
        typesetting::pdf(TEMPLATE, inputs, &page.id, page.issued_at)
    };
    // Letters that the fonts have one by one may still not go together. A source's name must not stand in the way of
    // its certificate.
    set(Alphabet::OfTheFonts).or_else(|e| match e {
        ReportError::Typesetting(_) => set(Alphabet::Ascii),
        other => Err(other),
    })
}
