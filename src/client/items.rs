//! An answer that is read item by item, in bounded memory.

use std::marker::PhantomData;

use reqwest::Response;
use serde::de::DeserializeOwned;

use super::split::{Layout, Split};
use super::{Client, ClientError};

/// The items of a streamed answer.
pub struct Items<T> {
    client: Client,
    response: Response,
    split: Split,
    /// Bytes that came and were not looked at yet, and how many of them were.
    came: Vec<u8>,
    used: usize,
    is_over: bool,
    what: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Items<T> {
    pub(super) fn new(client: Client, response: Response, layout: Layout) -> Result<Self, ClientError> {
        let media_type = match layout {
            Layout::Array => "application/json",
            Layout::Lines => "application/x-ndjson",
        };
        client.reading().must_be(&response, media_type)?;
        let split = Split::new(layout, client.options.body_bytes_max);
        Ok(Self { client, response, split, came: Vec::new(), used: 0, is_over: false, what: PhantomData })
    }

    /// The next item as soon as it is there; `None` after the last one.
    ///
    /// # Errors
    /// If the answer breaks off or is none of ours. Nothing comes after that.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        if self.is_over {
            return Ok(None);
        }
        let next = self.find().await;
        self.is_over = !matches!(next, Ok(Some(_)));
        next
    }

    async fn find(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            let rest = self.came.get(self.used..).unwrap_or_default();
            let taken = self.split.take(rest);
            let reading = self.client.reading();
            let (used, item) = taken.map_err(|why| reading.odd(why.to_owned()))?;
            self.used += used;
            if let Some(item) = item {
                return serde_json::from_slice(&item).map(Some).map_err(|error| reading.misread(&error));
            }
            match self.response.chunk().await.map_err(|error| reading.broken(error))? {
                Some(chunk) => {
                    self.came = chunk.to_vec();
                    self.used = 0;
                }
                None if self.split.is_whole() => return Ok(None),
                None => return Err(ClientError::BrokenOff { origin: self.client.origin().to_owned(), source: None }),
            }
        }
    }
}
