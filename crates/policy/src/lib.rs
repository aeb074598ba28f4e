//! Who may do what to a request.
