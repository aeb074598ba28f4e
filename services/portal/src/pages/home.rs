//! The first page: what this is, and where to go. It asks the database nothing.

use askama::Template;

use crate::{dispatch::Call, page::Layout, route::Answer};

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    layout: Layout,
}

/// `/`.
pub(crate) async fn show(call: Call) -> Answer {
    call.show(&Home { layout: call.layout("Erasure of sources, with proof")? })
}
