//! LOGIN.

use kontor_gateway_core::Secret;
use kontor_imap_proto::command::login::Login;

use crate::{
    reply::{Failure, Reply},
    session::Session,
};

impl Session {
    pub async fn login(&mut self, login: Login) -> Result<Reply, Failure> {
        let password = Secret::from(login.password);
        self.may_begin_login()?;
        self.log_in(&login.user, "", &password).await
    }
}
