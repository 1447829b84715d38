//! See the crate description; filled by its modules.
