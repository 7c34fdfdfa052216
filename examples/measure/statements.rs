//! SQLite's own statements put to PostgreSQL, one after the other: what an agent does whose table has moved there.

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};
use whowas::domain::verdict::Outcome;

use crate::postgres::Question;
use crate::world::sql::{CHAIN_OF, FIRST, HOLDERS, NAMES, NEWEST, Names, OBJECT, stale};

pub struct Statements {
    first: Statement,
    newest: Statement,
    object: Statement,
    names: Statement,
    chain_of: Statement,
    holders: Statement,
}

type Answer = (Outcome, String);
type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Self, Error> {
        let prepare = async |text: &str| client.prepare(&text.replace('?', "$")).await;
        Ok(Self {
            first: prepare(FIRST).await?,
            newest: prepare(NEWEST).await?,
            object: prepare(OBJECT).await?,
            names: prepare(NAMES).await?,
            chain_of: prepare(CHAIN_OF).await?,
            holders: prepare(HOLDERS).await?,
        })
    }

    pub async fn answer(&self, client: &Client, question: &Question, now: i64, horizon: i64) -> Result<Answer, Error> {
        match question {
            Question::Chain(chain, object) => self.check(client, chain, object, now).await,
            Question::Name(name, at) => {
                let rows = client.query(&self.holders, &[name, at]).await?;
                let [holder] = rows.as_slice() else {
                    let outcome = if rows.is_empty() { Outcome::Unknown } else { Outcome::Ambiguous };
                    return Ok((outcome, String::new()));
                };
                let (object, since): (Vec<u8>, i64) = (holder.get(0), holder.get(1));
                let (outcome, base) = match client.query_opt(&self.chain_of, &[&object]).await? {
                    Some(row) => self.check(client, row.get(0), &object, now).await?,
                    None => (Outcome::Baseline, String::new()),
                };
                Ok((if since > horizon { Outcome::Refresh } else { outcome }, base))
            }
        }
    }

    async fn check(&self, client: &Client, chain: &str, object: &Vec<u8>, now: i64) -> Result<Answer, Error> {
        let (by_chain, by_object): (Parameters<'_>, Parameters<'_>) = (&[&chain], &[object]);
        let owner: Option<Vec<u8>> = client.query_opt(&self.first, by_chain).await?.map(|row| row.get(0));
        if owner.as_ref() != Some(object) {
            return Ok((if owner.is_some() { Outcome::Mismatch } else { Outcome::Baseline }, String::new()));
        }
        let newest = client.query_one(&self.newest, by_chain).await?;
        let (base, until): (String, i64) = (newest.get(0), newest.get(1));
        let state = client.query_one(&self.object, by_object).await?;
        if let Some(outcome) = stale(state.get(0), state.get(1), now) {
            return Ok((outcome, base));
        }
        let mut names = Names::default();
        for row in client.query(&self.names, by_object).await? {
            names.take(row.get(0), row.get(2), row.get(3), until, || row.get(1));
        }
        Ok((names.outcome(), base))
    }
}
