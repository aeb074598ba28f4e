//! What every answer says to the browser about itself. Pages with other needs, such as the verifier's, set their own policy
//! and it is left as it is.

use actix_web::{
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
        STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    middleware::Next,
};

/// Styles and pictures of our own, forms to ourselves, and nothing else: no script at all, inline or not.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// For pages that are told how far work is: our own script too, from a file, and what it asks us.
pub(crate) const LIVE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; \
                                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For answers that say nothing else.
static ALWAYS: [(HeaderName, &str); 8] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: browsers would then hide from us, too, that a form comes from here.
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    // Whoever shares the computer does not find a page that was for somebody else.
    (CACHE_CONTROL, "no-store"),
];

const TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds what is missing.
pub(crate) async fn add(
    secure: bool,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let mut response = next.call(request).await?;
    complete(response.headers_mut(), secure);
    Ok(response)
}

fn complete(headers: &mut HeaderMap, secure: bool) {
    for (name, value) in &ALWAYS {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), HeaderValue::from_static(value));
        }
    }
    if secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, TRANSPORT);
    }
}
