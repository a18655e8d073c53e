//! What Kontor's whole-system tests and its benchmark stand on: a running server behind a handle, plain
//! protocol clients, a seeded corpus of nasty messages, and meters for processes.
//!
//! It is not a client library: the clients here speak just enough of IMAP, LMTP, SMTP and POP3 to drive a
//! server hard and to compare bytes, always over a plain loopback connection. Clients that we did not write
//! (swaks, msmtp, curl, mbsync, fetchmail, Python's imaplib) are run by the tests themselves.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use kontor_e2e::{appliance::Appliance, imap::Imap, lmtp::Lmtp};
//! let appliance = Appliance::start().await?;
//! let user = appliance.add_mailbox("ann").await?;
//! let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
//! lmtp.deliver("sender@example.test", &user.address, b"Subject: x\r\n\r\nhello\r\n").await?;
//! let mut imap = Imap::login(&appliance.endpoints.imap, &user.address, &user.password).await?;
//! assert_eq!(imap.select("INBOX").await?.exists, 1);
//! # Ok(()) }
//! ```
//!
//! Every wait has a deadline; every process started is killed by its own id when its handle goes.

pub mod appliance;
pub mod binaries;
pub mod cluster;
pub mod corpus;
pub mod dav;
pub mod imap;
pub mod kubernetes;
pub mod lmtp;
pub mod meter;
pub mod pop3;
pub mod postgres;
pub mod process;
pub mod s3;
pub mod smtp;
pub mod wire;
