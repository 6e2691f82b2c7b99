//! placeholder
#[derive(Debug)] pub struct Command; #[derive(Debug)] pub struct Output; #[derive(Debug)] pub enum Stream{}
