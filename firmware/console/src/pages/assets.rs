//! The few files that every page asks for.
//!
//! Not here: anything from elsewhere; there is none.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};

type Asset = ([(HeaderName, &'static str); 2], &'static str);

/// An hour: short enough that an update of the box is soon seen.
const KEPT: &str = "private, max-age=3600";

pub(crate) async fn style() -> Asset {
    let kind = (CONTENT_TYPE, "text/css; charset=utf-8");
    (
        [kind, (CACHE_CONTROL, KEPT)],
        include_str!("../assets/style.css"),
    )
}

pub(crate) async fn script() -> Asset {
    let kind = (CONTENT_TYPE, "text/javascript; charset=utf-8");
    (
        [kind, (CACHE_CONTROL, KEPT)],
        include_str!("../assets/page.js"),
    )
}

pub(crate) async fn icon() -> Asset {
    let kind = (CONTENT_TYPE, "image/svg+xml");
    (
        [kind, (CACHE_CONTROL, KEPT)],
        include_str!("../assets/icon.svg"),
    )
}
