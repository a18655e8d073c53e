//! What the commands do, one file for each, named as in the grammar.

pub(crate) mod append;
mod authenticate;
mod close;
mod copy;
mod create;
mod delete;
mod enable;
mod expunge;
mod fetch;
mod id;
mod list;
mod login;
mod namespace;
mod rename;
mod search;
mod select;
mod status;
mod store;
mod subscribe;
