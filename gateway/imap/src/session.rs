//! The session: its states (RFC 9051 §3), the loop that waits for the client, and the dispatch of
//! commands to their executors in `command/`.
//!
//! Between two commands a session is one small future that holds no buffers; everything that a command
//! needs lives in a boxed future that goes when the command is done.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kontor_gateway_core::{Connection, Shared, sasl::Exchange};
use kontor_imap_proto::{
    Code, CommandBody, Context, Event, Framer, FramerLimits, Limits, ParseError, Rejection, Status, Tag,
    command,
};
use kontor_storage_client::Session as StoreSession;
use tokio::io::AsyncWriteExt as _;

use crate::{
    capability,
    command::append::Append,
    reply::{Failure, Reply},
    selected::Selected,
    server::Server,
    sync::Expunges,
    tree::Places,
    wire::Wire,
};

/// Who has logged in.
pub(crate) struct Account {
    pub store: StoreSession,
    pub mailbox_id: u64,
    pub tenant_id: u64,
    /// Largest message that may be appended, octets.
    pub append_limit: u64,
}

/// RFC 9051 §3. Logout is the end of the session's future.
pub(crate) enum State {
    NotAuthenticated,
    Authenticated(Arc<Account>),
    Selected(Arc<Account>, Box<Selected>),
}

/// What the client has switched on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Enabled {
    pub rev2: bool,
    pub condstore: bool,
    pub qresync: bool,
}

/// What the client's next line is.
enum Mode {
    Command,
    Idle(Tag),
    Sasl(Tag, Exchange),
}

/// What follows a command.
#[derive(Debug, Clone, Copy)]
pub(crate) enum After {
    Nothing,
    /// Tell of changes if there may be some.
    Hinted(Expunges),
    /// Look for changes and tell of them.
    Look(Expunges),
}

pub(crate) struct Session {
    pub server: Arc<Server>,
    pub shared: Shared,
    pub wire: Wire,
    pub framer: Framer,
    pub state: State,
    pub enabled: Enabled,
    pub append: Option<Box<Append>>,
    /// The mailboxes that APPEND found, so that a client which stores many messages asks for them once.
    pub places: Option<Box<Places>>,
    pub login_failures: u32,
    mode: Mode,
    errors: u32,
    opened: Instant,
    heard: Instant,
}

/// What an executor in the selected state works on.
pub(crate) struct Desk<'a> {
    pub wire: &'a mut Wire,
    pub account: Arc<Account>,
    pub selected: &'a mut Selected,
    pub enabled: &'a mut Enabled,
}

enum Wake {
    Input,
    Changes,
    Bye(&'static str),
    Gone,
}

enum Next {
    Wait,
    StartTls,
    End,
}

/// Serves one client until it goes.
pub(crate) async fn serve(server: Arc<Server>, connection: Connection, shared: Shared) {
    let mut session = Session::new(server, connection, shared);
    if Box::pin(session.greet()).await.is_err() {
        return;
    }
    loop {
        let next = match session.wait().await {
            Wake::Input => Box::pin(session.advance(false)).await,
            Wake::Changes => Box::pin(session.advance(true)).await,
            Wake::Bye(text) => {
                Box::pin(session.bye(text)).await;
                return;
            }
            Wake::Gone => return,
        };
        match next {
            Next::Wait => {}
            Next::StartTls => match Box::pin(session.start_tls()).await {
                Some(secured) => session = secured,
                None => return,
            },
            Next::End => return,
        }
    }
}

impl Session {
    fn new(server: Arc<Server>, connection: Connection, shared: Shared) -> Self {
        let wire = Wire::new(connection, server.config.write_timeout);
        Self {
            server,
            shared,
            wire,
            framer: Framer::new(FramerLimits::before_login()),
            state: State::NotAuthenticated,
            enabled: Enabled::default(),
            append: None,
            places: None,
            login_failures: 0,
            mode: Mode::Command,
            errors: 0,
            opened: Instant::now(),
            heard: Instant::now(),
        }
    }

    async fn greet(&mut self) -> std::io::Result<()> {
        let names = self.capabilities();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.wire.encoder().untagged(Status::Ok, Some(Code::Capability(&names)), "Kontor IMAP server ready");
        self.wire.flush().await
    }

    /// What can be done now.
    pub fn capabilities(&self) -> Vec<String> {
        match &self.state {
            State::NotAuthenticated => {
                capability::before_login(self.wire.connection.can_upgrade(), self.may_log_in())
            }
            State::Authenticated(account) | State::Selected(account, _) => {
                capability::after_login(account.append_limit)
            }
        }
    }

    /// Whether names and passwords may come over this connection.
    pub fn may_log_in(&self) -> bool {
        self.wire.connection.is_tls() || self.server.config.plaintext_auth
    }

    /// Waits for the client, for changes while it idles, for the end. Holds no buffer.
    async fn wait(&mut self) -> Wake {
        let config = &self.server.config;
        let limit = match self.state {
            State::NotAuthenticated if self.opened.elapsed() > config.login_timeout * 5 => {
                return Wake::Bye("Log in faster");
            }
            State::NotAuthenticated => config.login_timeout,
            _ => config.idle_timeout,
        };
        let left = limit.saturating_sub(self.heard.elapsed());
        let idling = matches!(self.mode, Mode::Idle(_));
        let watch = match &mut self.state {
            State::Selected(_, selected) if idling => Some(&mut selected.watch),
            _ => None,
        };
        let check = if watch.is_some() { config.idle_check.min(left) } else { left };
        let changed = async {
            match watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = self.wire.reader.fill(&mut self.wire.connection) => match read {
                Ok(0) | Err(_) => Wake::Gone,
                Ok(_) => Wake::Input,
            },
            () = changed => Wake::Changes,
            () = self.shared.drain.begun() => Wake::Bye("The server is shutting down"),
            () = tokio::time::sleep(check) => {
                if self.heard.elapsed() >= limit { Wake::Bye("Idle for too long") } else { Wake::Changes }
            }
        }
    }

    async fn advance(&mut self, changes: bool) -> Next {
        let done = if changes {
            self.tell_changes(After::Look(Expunges::Tell)).await.map(|()| Next::Wait)
        } else {
            self.heard = Instant::now();
            self.process().await
        };
        let end = match done {
            Ok(next) => {
                if self.wire.flush().await.is_err() {
                    return Next::End;
                }
                next
            }
            Err(Failure::Bye(text)) => {
                self.bye(text).await;
                Next::End
            }
            // Only what follows a command can be refused, and that is not passed on.
            Err(Failure::Reply(_)) => Next::Wait,
            Err(Failure::Closed(error)) => {
                tracing::debug!(%error, "a client went away");
                Next::End
            }
        };
        if matches!(end, Next::End) {
            let _ = tokio::time::timeout(GOODBYE, self.wire.connection.shutdown()).await;
        }
        end
    }

    async fn bye(&mut self, text: &'static str) {
        self.wire.encoder().untagged(Status::Bye, None, text);
        let _ = tokio::time::timeout(GOODBYE, async {
            self.wire.flush().await?;
            self.wire.connection.shutdown().await
        })
        .await;
    }

    /// RFC 9051 §11.1: nothing that was known before the handshake is known after it.
    async fn start_tls(self) -> Option<Self> {
        let Self { server, shared, wire, opened, login_failures, .. } = self;
        match wire.connection.upgrade_tls(&wire.reader).await {
            Ok(connection) => Some(Self { opened, login_failures, ..Self::new(server, connection, shared) }),
            Err(error) => {
                tracing::debug!(%error, "STARTTLS failed");
                None
            }
        }
    }

    /// Works off all that has come in.
    async fn process(&mut self) -> Result<Next, Failure> {
        loop {
            let mut input = self.wire.reader.buffered();
            let before = input.len();
            let event = self.framer.next(&mut input);
            let used = before - input.len();
            let event = match event.detach() {
                Ok(event) => Some(event),
                Err(bytes) => {
                    if let Some(append) = &mut self.append {
                        append.take(bytes);
                    }
                    None
                }
            };
            self.wire.reader.consume(used);
            let Some(event) = event else { continue };
            match event {
                Event::NeedMore => return Ok(Next::Wait),
                Event::Continue => self.wire.encoder().continuation("Go on"),
                Event::Command(frame) => match self.command(&frame).await? {
                    Next::Wait => {}
                    next => return Ok(next),
                },
                Event::Line(line) => self.line(&line).await?,
                Event::AppendLiteral(request) => self.append_literal(request).await?,
                Event::LiteralEnd => self.append_message(),
                Event::AppendEnd(text) => self.append_end(&text).await?,
                Event::Rejected { tag, reason } => {
                    self.mode = Mode::Command;
                    let (code, text) = match reason {
                        Rejection::LineTooLong => (None, "The command is too long"),
                        Rejection::LiteralTooBig => (Some(Code::TooBig), "The literal is too big"),
                    };
                    match tag {
                        Some(tag) => self.wire.encoder().tagged(&tag, Status::Bad, code, text),
                        None => self.wire.encoder().untagged(Status::Bad, code, text),
                    }
                    self.count_error()?;
                }
                Event::LiteralBytes(_) => {}
                Event::Lost => return Err(Failure::Bye("The command does not end")),
            }
            self.wire.flush_if_full().await?;
        }
    }

    fn count_error(&mut self) -> Result<(), Failure> {
        self.errors += 1;
        if self.errors >= self.server.config.max_errors {
            return Err(Failure::Bye("Too many commands that make no sense"));
        }
        Ok(())
    }

    /// The grammar's context now.
    pub fn context(&self) -> Context {
        Context { utf8: self.enabled.rev2, limits: Limits::default() }
    }

    async fn command(&mut self, frame: &[u8]) -> Result<Next, Failure> {
        let command = match command::parse(frame, &self.context()) {
            Ok(command) => command,
            Err(failure) => {
                let (status, code) = match failure.error {
                    ParseError::BadCharset => (Status::No, Some(Code::BadCharset)),
                    ParseError::Limit(_) => (Status::Bad, Some(Code::Limit)),
                    ParseError::Syntax(_) | ParseError::UnknownCommand => (Status::Bad, None),
                };
                let text = failure.error.to_string();
                match failure.tag {
                    Some(tag) => self.wire.encoder().tagged(&tag, status, code, &text),
                    None => self.wire.encoder().untagged(status, code, &text),
                }
                self.count_error()?;
                return Ok(Next::Wait);
            }
        };
        self.errors = 0;
        let (tag, body) = (command.tag, command.body);
        metrics::counter!("kontor_imap_commands_total", "command" => body.name()).increment(1);
        match body {
            CommandBody::Logout => {
                self.wire.encoder().untagged(Status::Bye, None, "Goodbye");
                self.wire.encoder().tagged(&tag, Status::Ok, None, "Logged out");
                return Ok(Next::End);
            }
            CommandBody::StartTls => {
                if !self.wire.connection.can_upgrade() || !matches!(self.state, State::NotAuthenticated) {
                    self.wire.encoder().tagged(&tag, Status::Bad, None, "TLS cannot begin here");
                    return Ok(Next::Wait);
                }
                self.wire.encoder().tagged(&tag, Status::Ok, None, "Begin TLS");
                return Ok(Next::StartTls);
            }
            CommandBody::Authenticate(authenticate) => {
                let step = self.authenticate(authenticate);
                self.sasl(tag, step).await?;
            }
            CommandBody::Idle => {
                if matches!(self.state, State::NotAuthenticated) {
                    self.wire.encoder().tagged(&tag, Status::Bad, None, "Log in first");
                    return Ok(Next::Wait);
                }
                self.wire.encoder().continuation("idling");
                self.wire.flush().await?;
                self.framer.expect_line();
                self.mode = Mode::Idle(tag);
                self.tell_changes(After::Look(Expunges::Tell)).await?;
            }
            body => {
                let after = after(&body);
                let done = self.execute(&tag, body).await;
                self.finish(&tag, done, after).await?;
            }
        }
        Ok(Next::Wait)
    }

    /// The line after a continuation.
    async fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        match std::mem::replace(&mut self.mode, Mode::Command) {
            Mode::Idle(tag) if line.eq_ignore_ascii_case(b"DONE") => {
                self.finish(&tag, Ok(Reply::ok("Idled")), After::Hinted(Expunges::Tell)).await
            }
            Mode::Idle(tag) => {
                self.wire.encoder().tagged(&tag, Status::Bad, None, "Expected DONE");
                Ok(())
            }
            Mode::Sasl(tag, exchange) => {
                let step = exchange.step(line);
                self.sasl(tag, step).await
            }
            Mode::Command => Ok(()),
        }
    }

    /// Waits for the client's next line of an exchange.
    pub fn expect_sasl(&mut self, tag: Tag, exchange: Exchange) {
        self.framer.expect_line();
        self.mode = Mode::Sasl(tag, exchange);
    }

    /// Ends a command: what has changed meanwhile, then the tagged answer.
    pub async fn finish(
        &mut self,
        tag: &Tag,
        done: Result<Reply, Failure>,
        after: After,
    ) -> Result<(), Failure> {
        let reply = match done {
            Ok(reply) | Err(Failure::Reply(reply)) => reply,
            Err(failure) => return Err(failure),
        };
        let told = self.tell_changes(after).await;
        reply.write(&mut self.wire.encoder(), tag);
        told
    }

    /// Tells of changes in the selected mailbox. That the store is not available is not told: the
    /// command before was answered by it, and the change log is read again next time.
    async fn tell_changes(&mut self, after: After) -> Result<(), Failure> {
        let State::Selected(account, selected) = &mut self.state else { return Ok(()) };
        let (expunges, look) = match after {
            After::Nothing => return Ok(()),
            After::Hinted(expunges) => (expunges, selected.may_have_changed(expunges)),
            After::Look(expunges) => (expunges, true),
        };
        if !look {
            return Ok(());
        }
        match selected.sync(&mut self.wire, account, &self.enabled, expunges).await {
            Err(Failure::Reply(_)) => {
                selected.stale = true;
                Ok(())
            }
            other => other,
        }
    }

    async fn execute(&mut self, tag: &Tag, body: CommandBody) -> Result<Reply, Failure> {
        match body {
            CommandBody::Capability => {
                let names = self.capabilities();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.wire.encoder().capability(&names);
                Ok(Reply::ok("Capabilities told"))
            }
            CommandBody::Noop => Ok(Reply::ok("Done")),
            CommandBody::Id(fields) => self.id(&fields),
            CommandBody::Login(login) => self.login(login).await,
            CommandBody::Enable(names) => self.enable(&names),
            CommandBody::Select(select) => self.select(select).await,
            CommandBody::Create(create) => self.create(create).await,
            CommandBody::Delete(mailbox) => self.delete(mailbox).await,
            CommandBody::Rename(rename) => self.rename(rename).await,
            CommandBody::Subscribe(mailbox) => self.subscribe(mailbox, true).await,
            CommandBody::Unsubscribe(mailbox) => self.subscribe(mailbox, false).await,
            CommandBody::List(list) => self.list(list).await,
            CommandBody::Lsub(lsub) => self.lsub(lsub).await,
            CommandBody::Namespace => self.namespace(),
            CommandBody::Status(status) => self.status(status).await,
            CommandBody::Check => self.desk().map(|_| Reply::ok("Checked")),
            CommandBody::Close => self.close().await,
            CommandBody::Unselect => self.unselect(),
            CommandBody::Expunge(set) => self.expunge(set).await,
            CommandBody::Search(search) => self.search(tag, search).await,
            CommandBody::Fetch(fetch) => self.fetch(fetch).await,
            CommandBody::Store(store) => self.store(store).await,
            CommandBody::Copy(copy) => self.copy(copy).await,
            CommandBody::Move(copy) => self.relocate(copy).await,
            CommandBody::Logout
            | CommandBody::StartTls
            | CommandBody::Authenticate(_)
            | CommandBody::Idle => Err(Reply::bad("Not here").into()),
        }
    }

    /// The account, once there is one.
    pub fn account(&self) -> Result<Arc<Account>, Failure> {
        match &self.state {
            State::NotAuthenticated => Err(Reply::bad("Log in first").into()),
            State::Authenticated(account) | State::Selected(account, _) => Ok(account.clone()),
        }
    }

    /// All that a command of the selected state needs.
    pub fn desk(&mut self) -> Result<Desk<'_>, Failure> {
        match &mut self.state {
            State::NotAuthenticated => Err(Reply::bad("Log in first").into()),
            State::Authenticated(_) => Err(Reply::bad("Select a mailbox first").into()),
            State::Selected(account, selected) => Ok(Desk {
                wire: &mut self.wire,
                account: account.clone(),
                selected,
                enabled: &mut self.enabled,
            }),
        }
    }

    /// Leaves the selected mailbox. Says whether there was one.
    pub fn leave(&mut self) -> bool {
        if let State::Selected(account, _) = &self.state {
            self.state = State::Authenticated(account.clone());
            return true;
        }
        false
    }
}

/// What follows a command. EXPUNGE is not told after commands with message numbers (RFC 9051 §7.5.1).
fn after(body: &CommandBody) -> After {
    use Expunges::{Keep, Tell};
    match body {
        CommandBody::Noop | CommandBody::Check | CommandBody::Expunge(_) | CommandBody::Move(_) => {
            After::Look(Tell)
        }
        CommandBody::Fetch(command::fetch::Fetch { uid: false, .. })
        | CommandBody::Store(command::store::Store { uid: false, .. })
        | CommandBody::Search(command::search::Search { uid: false, .. }) => After::Hinted(Keep),
        CommandBody::Select(_)
        | CommandBody::Close
        | CommandBody::Unselect
        | CommandBody::Capability
        | CommandBody::Id(_) => After::Nothing,
        _ => After::Hinted(Tell),
    }
}

const GOODBYE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImapConfig;
    use kontor_storage_client::StoreClient;

    /// What an idle connection costs before its TLS session; a command's own future comes and goes.
    #[tokio::test]
    async fn a_waiting_session_is_small() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let stream = tokio::net::TcpStream::connect(address).await.expect("listening");
        let connection = Connection::plain(stream, None).expect("connected");
        let store = StoreClient::connect(&["127.0.0.1:1".to_owned()], None).expect("an address");
        let server = Arc::new(Server::new(ImapConfig::default(), store));
        let size = size_of_val(&serve(server, connection, Shared::default()));
        assert!(size < 3072, "{size} bytes");
    }
}
