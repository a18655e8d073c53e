//! The controller of GroupwareDeployments.

pub mod build;
pub mod dereference;
pub mod material;
pub mod names;
pub mod routes;
pub mod status;
pub mod validate;

pub use build::{Desired, Stage, build};
pub use material::Material;
