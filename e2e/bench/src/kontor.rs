//! `kontor up` for a measurement.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use kontor_e2e::appliance::Appliance;

use crate::dav;
use crate::target::Target;

/// A running Kontor with the workload's users made.
pub struct Kontor {
    appliance: Appliance,
    domain: String,
    user_count: usize,
}

impl Kontor {
    /// Starts it on `folder` and makes the users u0, u1, … and one more for the large folder.
    ///
    /// With `statements`, its PostgreSQL is told to load pg_stat_statements and restarted with it.
    pub async fn start(folder: &Path, user_count: usize, statements: bool) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut appliance = Appliance::start_in(&folder.join("data"), &[]).await?;
        for i in 0..=user_count {
            appliance.add_mailbox_with(&format!("u{i}"), PASSWORD).await?;
        }
        if statements {
            appliance.psql("alter system set shared_preload_libraries = 'pg_stat_statements'")?;
            appliance.stop(Duration::from_secs(60))?;
            appliance.restart().await?;
            appliance.psql("create extension if not exists pg_stat_statements")?;
        }
        let (_, domain) = appliance.account.address.split_once('@').context("the first account's address")?;
        let domain = domain.to_owned();
        Ok(Self { appliance, domain, user_count })
    }

    /// Stops and starts it on the same data.
    pub async fn restart(&mut self) -> Result<()> {
        self.appliance.stop(Duration::from_secs(60))?;
        self.appliance.restart().await
    }

    /// What the workload of calendars and contacts needs to know.
    pub fn dav(&self) -> dav::Target {
        let user = format!("u0@{}", self.domain);
        dav::Target {
            name: "kontor".into(),
            address: self.appliance.endpoints.http.clone(),
            calendars: format!("/dav/calendars/{user}/"),
            address_books: format!("/dav/addressbooks/{user}/"),
            user,
            password: PASSWORD.into(),
            takes_whole_collections: false,
        }
    }

    /// What the workload needs to know.
    pub fn target(&self) -> Target {
        Target {
            name: "kontor".into(),
            lmtp: self.appliance.endpoints.lmtp.clone(),
            imap: self.appliance.endpoints.imap.clone(),
            users: format!("u{{}}@{}", self.domain),
            user_count: self.user_count,
            password: PASSWORD.into(),
            pids: self.appliance.pids(),
            disk: self.appliance.data().to_owned(),
            postgres: self.appliance.postgres_url(),
        }
    }
}

const PASSWORD: &str = "bench-password";
