//! Microsoft Graph.

#[cfg(feature = "emulator")]
pub mod emulator;
