//! The pages, a file for each part of the site. Each reads what it shows, and says what its form needs; what all have around
//! them is in `page.rs`.

pub(crate) mod account;
pub(crate) mod all_tokens;
pub(crate) mod audit;
pub(crate) mod cases;
pub(crate) mod certificates;
pub(crate) mod chosen_password;
pub(crate) mod exports;
pub(crate) mod grants;
pub(crate) mod home;
pub(crate) mod log;
pub(crate) mod monitor;
pub(crate) mod people;
pub(crate) mod requests;
pub(crate) mod samples;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod step_up;
pub(crate) mod tokens;
