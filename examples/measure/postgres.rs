//! The same table in PostgreSQL, asked over loopback: by the statements that SQLite is asked by, and by one prepared query an ask, which
//! brings back all that the answer needs. The server is the one that `WHOWAS_PG` names, or one that is started here for the while.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant as Clock};

use futures_util::future::join_all;
use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};
use whowas::domain::verdict::Outcome;

use crate::statements::Statements;
use crate::world::sql::{Names, Sql, stale};

const HOW: &str = "no PostgreSQL: run `sh benches/postgres.sh`, or name a server by WHOWAS_PG=postgresql://…";
const SCHEMA: &str = "
    DROP SCHEMA IF EXISTS whowas_measure CASCADE;
    CREATE SCHEMA whowas_measure;
    SET search_path TO whowas_measure;
    CREATE TABLE object (object bytea PRIMARY KEY, seen bigint NOT NULL, created bigint, live boolean NOT NULL);
    CREATE TABLE held (object bytea NOT NULL, kind bigint NOT NULL, name text COLLATE \"C\" NOT NULL, valid_from bigint NOT NULL, valid_to bigint);
    CREATE TABLE snapshot (chain text COLLATE \"C\" NOT NULL, taken bigint NOT NULL, id text COLLATE \"C\" NOT NULL, until bigint NOT NULL, object bytea NOT NULL);
";
const INDEXES: &str = "
    ALTER TABLE snapshot ADD PRIMARY KEY (chain, taken, id);
    CREATE INDEX snapshot_by_object ON snapshot (object, until);
    CREATE INDEX held_by_name ON held (name, valid_from);
    CREATE INDEX held_by_object ON held (object, kind);
";
/// What a session is given so that nothing but the answering is measured: statements planned once, and no compiling of queries.
const SESSION: &str = "SET search_path TO whowas_measure; SET plan_cache_mode = force_generic_plan; SET jit = off;";
const BY_CHAIN: &str = "SELECT $1::text AS chain, $2::bytea AS object, NULL::bigint AS since";
const BY_NAME: &str = "
    SELECT (SELECT s.chain FROM snapshot s WHERE s.object = h.object ORDER BY s.until DESC LIMIT 1) AS chain, h.object, h.since
    FROM (
        SELECT object, max(valid_from) AS since FROM held
        WHERE name = $1::text AND valid_from <= $2::bigint AND (valid_to IS NULL OR valid_to > $2::bigint) GROUP BY object) h";
const REST: &str = "
    SELECT w.object, owner.object, newest.id, newest.until, o.live, o.seen, n.kind, n.name, n.valid_from, n.valid_to, w.since
    FROM wanted w
    LEFT JOIN LATERAL (SELECT object FROM snapshot WHERE chain = w.chain ORDER BY taken LIMIT 1) owner ON true
    LEFT JOIN LATERAL (SELECT id, until FROM snapshot WHERE chain = w.chain ORDER BY taken DESC LIMIT 1) newest ON true
    LEFT JOIN object o ON o.object = w.object
    LEFT JOIN held n ON n.object = w.object AND n.kind IN (0, 1)";
/// Rows of one insert.
const ROWS: usize = 5_000;
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// An ask, as the query wants it.
pub enum Question {
    Chain(String, Vec<u8>),
    Name(String, i64),
}

impl Question {
    fn parameters(&self) -> [&(dyn ToSql + Sync); 2] {
        match self {
            Self::Chain(chain, object) => [chain, object],
            Self::Name(name, at) => [name, at],
        }
    }
}

pub struct Postgres {
    runtime: Runtime,
    client: Client,
    by_chain: Statement,
    by_name: Statement,
    statements: Statements,
    // Dropped last.
    _server: Option<Server>,
}

impl Postgres {
    /// A server with everything that SQLite has. If there is none, why and what to do.
    pub fn of(dir: &Path, sql: &Sql, cache_capacity_bytes: u64) -> Result<Self, String> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| said(&error))?;
        let (address, server) = match std::env::var("WHOWAS_PG") {
            Ok(address) => (address, None),
            Err(_) => {
                let server = Server::start(dir, cache_capacity_bytes)?;
                (server.address(), Some(server))
            }
        };
        let client = runtime.block_on(connect(&address, server.is_some()))?;
        let prepared = runtime.block_on(async {
            client.batch_execute(SCHEMA).await?;
            fill(&client, sql).await?;
            client.batch_execute(INDEXES).await?;
            client.batch_execute("VACUUM ANALYZE").await?;
            client.batch_execute(SESSION).await?;
            let prepare = async |wanted| client.prepare(&format!("WITH wanted AS ({wanted}) {REST}")).await;
            let statements = Statements::prepare(&client).await?;
            Ok::<_, tokio_postgres::Error>((prepare(BY_CHAIN).await?, prepare(BY_NAME).await?, statements))
        });
        let (by_chain, by_name, statements) = prepared.map_err(|error| said(&error))?;
        Ok(Self { runtime, client, by_chain, by_name, statements, _server: server })
    }

    fn statement(&self, question: &Question) -> &Statement {
        match question {
            Question::Chain(..) => &self.by_chain,
            Question::Name(..) => &self.by_name,
        }
    }

    /// Each statement of each ask is sent when the one before it is answered.
    pub fn by_statements(&self, questions: &[Question], now: i64, horizon: i64) -> Vec<(Outcome, String)> {
        self.runtime.block_on(async {
            let mut answers = Vec::with_capacity(questions.len());
            for question in questions {
                answers.push(self.statements.answer(&self.client, question, now, horizon).await.unwrap());
            }
            answers
        })
    }

    /// Each ask is sent when the one before it is answered.
    pub fn one_by_one(&self, questions: &[Question], now: i64, horizon: i64) -> Vec<(Outcome, String)> {
        self.runtime.block_on(async {
            let mut answers = Vec::with_capacity(questions.len());
            for question in questions {
                let rows = self.client.query(self.statement(question), &question.parameters()).await.unwrap();
                answers.push(judge(&rows, now, horizon));
            }
            answers
        })
    }

    /// All are sent before the first is answered.
    pub fn pipelined(&self, questions: &[Question], now: i64, horizon: i64) -> Vec<(Outcome, String)> {
        self.runtime.block_on(join_all(questions.iter().map(async |question| {
            let rows = self.client.query(self.statement(question), &question.parameters()).await.unwrap();
            judge(&rows, now, horizon)
        })))
    }

    /// Leaves nothing in a server that goes on.
    pub fn end(self) {
        self.runtime.block_on(self.client.batch_execute("DROP SCHEMA whowas_measure CASCADE")).unwrap();
    }
}

/// The answer that SQLite's side gives.
fn judge(rows: &[Row], now: i64, horizon: i64) -> (Outcome, String) {
    let Some(first) = rows.first() else { return (Outcome::Unknown, String::new()) };
    let object: &[u8] = first.get(0);
    if rows.iter().any(|row| row.get::<_, &[u8]>(0) != object) {
        return (Outcome::Ambiguous, String::new());
    }
    let owner: Option<&[u8]> = first.get(1);
    if owner != Some(object) {
        return (if owner.is_some() { Outcome::Mismatch } else { Outcome::Baseline }, String::new());
    }
    let (base, until): (String, i64) = (first.get(2), first.get(3));
    // As SQLite's side has it, a name newer than the last round proves is nobody's for sure.
    if first.get::<_, Option<i64>>(10).is_some_and(|since| since > horizon) {
        return (Outcome::Refresh, base);
    }
    if let Some(outcome) = stale(first.get(4), first.get(5), now) {
        return (outcome, base);
    }
    let mut names = Names::default();
    for row in rows {
        names.take(row.get(6), row.get(8), row.get(9), until, || row.get(7));
    }
    (names.outcome(), base)
}

async fn connect(address: &str, starts: bool) -> Result<Client, String> {
    let begun = Clock::now();
    loop {
        match tokio_postgres::connect(address, NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return Ok(client);
            }
            Err(_) if starts && begun.elapsed() < STARTS_WITHIN => tokio::time::sleep(Duration::from_millis(100)).await,
            // An address may hold a password, so it is not said again.
            Err(error) => return Err(format!("cannot connect to PostgreSQL: {}", said(&error))),
        }
    }
}

/// Copies the rows of SQLite's tables.
async fn fill(client: &Client, sql: &Sql) -> Result<(), tokio_postgres::Error> {
    let insert = client
        .prepare("INSERT INTO object SELECT o, s, c, true FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS t (o, s, c)")
        .await?;
    let mut select = sql.connection().prepare("SELECT object, seen, created FROM object WHERE live = 1").unwrap();
    let mut rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    loop {
        let (mut objects, mut seen, mut created) =
            (Vec::<Vec<u8>>::new(), Vec::<i64>::new(), Vec::<Option<i64>>::new());
        for row in rows.by_ref().take(ROWS) {
            let row = row.unwrap();
            objects.push(row.0);
            seen.push(row.1);
            created.push(row.2);
        }
        if objects.is_empty() {
            break;
        }
        client.execute(&insert, &[&objects, &seen, &created]).await?;
    }
    let insert = client
        .prepare(
            "INSERT INTO held SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[])",
        )
        .await?;
    let mut select = sql.connection().prepare("SELECT object, kind, name, valid_from, valid_to FROM held").unwrap();
    let mut rows =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))).unwrap();
    loop {
        let (mut objects, mut kinds, mut names) = (Vec::<Vec<u8>>::new(), Vec::<i64>::new(), Vec::<String>::new());
        let (mut from, mut to) = (Vec::<i64>::new(), Vec::<Option<i64>>::new());
        for row in rows.by_ref().take(ROWS) {
            let row = row.unwrap();
            objects.push(row.0);
            kinds.push(row.1);
            names.push(row.2);
            from.push(row.3);
            to.push(row.4);
        }
        if objects.is_empty() {
            break;
        }
        client.execute(&insert, &[&objects, &kinds, &names, &from, &to]).await?;
    }
    let insert = client
        .prepare("INSERT INTO snapshot SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[])")
        .await?;
    let mut select = sql.connection().prepare("SELECT chain, taken, id, until, object FROM snapshot").unwrap();
    let mut rows =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))).unwrap();
    loop {
        let (mut chains, mut taken, mut ids) = (Vec::<String>::new(), Vec::<i64>::new(), Vec::<String>::new());
        let (mut until, mut objects) = (Vec::<i64>::new(), Vec::<Vec<u8>>::new());
        for row in rows.by_ref().take(ROWS) {
            let row = row.unwrap();
            chains.push(row.0);
            taken.push(row.1);
            ids.push(row.2);
            until.push(row.3);
            objects.push(row.4);
        }
        if chains.is_empty() {
            return Ok(());
        }
        client.execute(&insert, &[&chains, &taken, &ids, &until, &objects]).await?;
    }
}

/// A server in a directory of its own, on a free port of the loopback address, ended when this is dropped.
struct Server {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
    child: Child,
}

impl Server {
    fn start(dir: &Path, cache_capacity_bytes: u64) -> Result<Self, String> {
        let programs = programs().ok_or_else(|| HOW.to_owned())?;
        let data = dir.join("postgres");
        std::fs::create_dir(&data).map_err(|error| said(&error))?;
        give(&data)?;
        let mut initdb = command(&programs, "initdb")?;
        initdb
            .args(["--username=whowas", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data);
        let made = initdb.output().map_err(|error| said(&error))?;
        if !made.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim()));
        }
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| said(&error))?.port();
        let child = command(&programs, "postgres")?
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k", ""])
            .args(["-c", &format!("shared_buffers={}MB", cache_capacity_bytes >> 20)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| said(&error))?;
        Ok(Self { programs, data, port, child })
    }

    fn address(&self) -> String {
        format!("host=127.0.0.1 port={} user=whowas dbname=postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stop = command(&self.programs, "pg_ctl").map(|mut stop| {
            stop.args(["stop", "-m", "fast", "-w", "-D"]).arg(&self.data).stdout(Stdio::null()).status()
        });
        if !matches!(stop, Ok(Ok(status)) if status.success()) {
            let _ended = self.child.kill();
        }
        let _ended = self.child.wait();
        let _removed = std::fs::remove_dir_all(&self.data);
    }
}

/// The folder of the server's programs: of the path, or where Debian's packages put them, the newest.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    folders.sort();
    std::env::split_paths(&path)
        .chain(folders.into_iter().rev().map(|(_, folder)| folder))
        .find(|folder| ["initdb", "postgres", "pg_ctl"].iter().all(|name| folder.join(name).is_file()))
}

/// The server refuses to run as root; then it runs as the user that its package made, or as nobody.
#[cfg(unix)]
fn other_user() -> Result<Option<(u32, u32)>, String> {
    use std::os::unix::fs::MetadataExt;
    let own = std::fs::metadata("/proc/self").map_err(|error| said(&error))?.uid();
    if own != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(|error| said(&error))?;
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).map(Some).ok_or_else(|| "PostgreSQL does not run as root".to_owned())
}

fn command(programs: &Path, name: &str) -> Result<Command, String> {
    let mut command = Command::new(programs.join(name));
    command.stdin(Stdio::null()).current_dir("/");
    #[cfg(unix)]
    if let Some((user, group)) = other_user()? {
        std::os::unix::process::CommandExt::uid(&mut command, user);
        std::os::unix::process::CommandExt::gid(&mut command, group);
    }
    Ok(command)
}

fn give(_folder: &Path) -> Result<(), String> {
    #[cfg(unix)]
    if let Some((user, group)) = other_user()? {
        std::os::unix::fs::chown(_folder, Some(user), Some(group)).map_err(|error| said(&error))?;
    }
    Ok(())
}

fn said(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        said = format!("{said}: {next}");
        cause = next.source();
    }
    said
}
