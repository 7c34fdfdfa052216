//! whowas
fn main() {}
