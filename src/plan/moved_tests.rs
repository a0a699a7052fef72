//! Plans then and now.
