//! latentd.
