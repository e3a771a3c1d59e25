//! One function for each thing that can be asked. A `snapshot` is what the user wrote: a name,
//! `RESOURCE@DATE` or `RESOURCE@latest`.

use super::{Client, ClientError, http, segment};
use crate::api::wire::{
    Accepted, AttachBody, Blueprints, Changes, ChangesQuery, Check, CreateBody, DeleteQuery,
    DiffQuery, Differences, EnableBody, FeeQuery, Fees, ForecastQuery, Forecasts, ForgetBody,
    Health, KeepBody, Listing, Nothing, Operation, OperationQuery, Operations, OperationsQuery,
    Plans, ProtectBody, Protected, Reloaded, ResourceDetail, Resources, ResourcesQuery,
    RollbackBody, SetTimeBody, Slots, SlotsQuery, Snapshot, Snapshots, SnapshotsQuery, Status,
    TagBody, Tags, TakeBody, TreeQuery,
};
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

type Answer<T> = Result<T, ClientError>;

/// The longest page of operations.
const PAGE: u32 = 1_000;

/// How long one look at an operation waits while [`Client::finish`] follows it.
const GLANCE: u32 = 1;

impl Client {
    pub fn status(&self) -> Answer<Status> {
        self.look("/v1/status", &Nothing {}, 0)
    }

    pub fn health(&self) -> Answer<Health> {
        self.look("/v1/health", &Nothing {}, 0)
    }

    /// All of them, however many pages that are.
    pub fn resources(&self) -> Answer<Resources> {
        let page = |after: Option<String>| {
            self.look::<Resources>("/v1/resources", &ResourcesQuery { after, limit: None }, 0)
        };
        let mut all = page(None)?;
        while let Some(next) = all.next.take() {
            let more = page(Some(next))?;
            all.resources.extend(more.resources);
            all.next = more.next;
        }
        Ok(all)
    }

    pub fn resource(&self, name: &str) -> Answer<ResourceDetail> {
        self.look(&format!("/v1/resources/{}", segment(name)), &Nothing {}, 0)
    }

    /// The slots of a day, `YYYY-MM-DD` in the resource's zone; of today without one.
    pub fn slots(&self, name: &str, day: Option<&str>) -> Answer<Slots> {
        let query = SlotsQuery { day: day.map(Into::into) };
        self.look(&format!("/v1/resources/{}/slots", segment(name)), &query, 0)
    }

    /// Of one resource, or of all, however many pages that are.
    pub fn forecast(&self, name: Option<&str>, days: Option<u32>) -> Answer<Forecasts> {
        let path = match name {
            Some(name) => format!("/v1/resources/{}/forecast", segment(name)),
            None => "/v1/forecast".into(),
        };
        let page = |after: Option<String>| {
            self.look::<Forecasts>(&path, &ForecastQuery { days, after, limit: None }, 0)
        };
        let mut all = page(None)?;
        while let Some(next) = all.next.take() {
            let more = page(Some(next))?;
            all.forecasts.extend(more.forecasts);
            all.next = more.next;
        }
        Ok(all)
    }

    /// Of one resource, or of all; `month` is `YYYY-MM`, the present one without it.
    pub fn fee(&self, name: Option<&str>, month: Option<&str>) -> Answer<Fees> {
        let path = match name {
            Some(name) => format!("/v1/resources/{}/fee", segment(name)),
            None => "/v1/fee".into(),
        };
        self.look(&path, &FeeQuery { month: month.map(Into::into) }, 0)
    }

    pub fn plans(&self) -> Answer<Plans> {
        self.look("/v1/plans", &Nothing {}, 0)
    }

    pub fn blueprints(&self) -> Answer<Blueprints> {
        self.look("/v1/blueprints", &Nothing {}, 0)
    }

    /// Those that the query means, however many pages that are; with a limit, one page.
    pub fn snapshots(&self, query: &SnapshotsQuery) -> Answer<Snapshots> {
        let page = |query: &SnapshotsQuery| self.look::<Snapshots>("/v1/snapshots", query, 0);
        let mut all = page(query)?;
        while query.limit.is_none()
            && let Some(next) = all.next.take()
        {
            let more = page(&SnapshotsQuery { after: Some(next), ..query.clone() })?;
            all.snapshots.extend(more.snapshots);
            all.next = more.next;
        }
        Ok(all)
    }

    pub fn snapshot(&self, snapshot: &str) -> Answer<Snapshot> {
        self.look(&format!("/v1/snapshots/{}", segment(snapshot)), &Nothing {}, 0)
    }

    /// A page of a directory of a snapshot.
    pub fn tree(&self, snapshot: &str, query: &TreeQuery) -> Answer<Listing> {
        self.look(&of_snapshot(snapshot, "tree"), query, 0)
    }

    /// What differs from a snapshot to the one in the query, up to a page.
    pub fn diff(&self, snapshot: &str, query: &DiffQuery) -> Answer<Differences> {
        self.look(&of_snapshot(snapshot, "diff"), query, 0)
    }

    /// As many as the query asks for, however many pages that are.
    pub fn operations(&self, query: &OperationsQuery) -> Answer<Operations> {
        let page = |query: &OperationsQuery| self.look::<Operations>("/v1/operations", query, 0);
        let Some(wanted) = query.limit.filter(|limit| *limit > PAGE) else { return page(query) };
        let mut all = page(&OperationsQuery { limit: Some(PAGE), ..query.clone() })?;
        let mut left = wanted - PAGE;
        while left > 0
            && let Some(before) = all.next.take()
        {
            let limit = left.min(PAGE);
            let query =
                OperationsQuery { before: Some(before), limit: Some(limit), ..query.clone() };
            let more = page(&query)?;
            left -= limit;
            all.operations.extend(more.operations);
            all.next = more.next;
        }
        Ok(all)
    }

    /// Answers when the operation is finished, or after `wait` seconds (at most 300).
    pub fn operation(&self, id: u64, wait: Option<u32>) -> Answer<Operation> {
        let path = format!("/v1/operations/{id}");
        self.look(&path, &OperationQuery { wait }, wait.unwrap_or(0))
    }

    /// The same, but with `interrupts` SIGINT ends the waiting: [`ClientError::Interrupted`]. From
    /// then on this process does not end by it.
    pub fn finish_unless(
        &self,
        id: u64,
        interrupts: bool,
        each: impl FnMut(&Operation),
    ) -> Answer<Operation> {
        let _inside = self.runtime.enter();
        let interrupt = interrupts.then(|| signal(SignalKind::interrupt()).ok()).flatten();
        let Some(mut interrupt) = interrupt else { return self.finish(id, each) };
        follow(each, || {
            self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = interrupt.recv() => Err(ClientError::Interrupted),
                    answer = self.glance(id) => answer,
                }
            })
        })
    }

    /// One look at an operation, which waits for a moment.
    async fn glance(&self, id: u64) -> Answer<Operation> {
        let query = OperationQuery { wait: Some(GLANCE) };
        self.looked(&format!("/v1/operations/{id}"), &query, GLANCE).await
    }

    /// Follows an operation to its end; `each` sees it about once a second while it is open.
    pub fn finish(&self, id: u64, each: impl FnMut(&Operation)) -> Answer<Operation> {
        follow(each, || self.runtime.block_on(self.glance(id)))
    }

    /// What changed after a generation; empty if nothing did within `wait` seconds.
    pub fn changes(&self, after: u64, wait: u32) -> Answer<Changes> {
        let query = ChangesQuery { after: Some(after), wait: Some(wait) };
        self.look("/v1/events", &query, wait)
    }

    /// The OpenMetrics text.
    pub fn metrics(&self) -> Answer<String> {
        let call = http::Call::new(Method::GET, "/metrics", &Nothing {})?;
        let limit: Duration = self.timeout;
        let answer = self.runtime.block_on(http::call(&self.door, call, limit))?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Puts something under protection.
    pub fn protect(&self, body: &ProtectBody) -> Answer<Protected> {
        self.post("/v1/resources", body)
    }

    pub fn take(&self, resource: &str, body: &TakeBody) -> Answer<Accepted> {
        self.post(&of_resource(resource, "snapshots"), body)
    }

    pub fn enable(&self, resource: &str, time: Option<&str>) -> Answer<Accepted> {
        self.post(&of_resource(resource, "enable"), &EnableBody { time: time.map(Into::into) })
    }

    pub fn disable(&self, resource: &str) -> Answer<Accepted> {
        self.post(&of_resource(resource, "disable"), &Nothing {})
    }

    /// `time` is `HH:MM` in the resource's zone.
    pub fn set_time(&self, resource: &str, time: &str) -> Answer<Accepted> {
        let body = encode(&SetTimeBody { time: time.into() })?;
        self.change(Method::PUT, &of_resource(resource, "time"), &Nothing {}, Some(body))
    }

    pub fn reset(&self, resource: &str) -> Answer<Accepted> {
        self.post(&of_resource(resource, "reset"), &Nothing {})
    }

    pub fn acknowledge(&self, resource: &str) -> Answer<Accepted> {
        self.post(&of_resource(resource, "acknowledge"), &Nothing {})
    }

    pub fn rotate(&self, resource: &str) -> Answer<Accepted> {
        self.post(&of_resource(resource, "rotate"), &Nothing {})
    }

    pub fn forget(&self, resource: &str, body: &ForgetBody) -> Answer<Accepted> {
        self.post(&of_resource(resource, "forget"), body)
    }

    pub fn keep(&self, snapshot: &str, name: &str, tags: Tags) -> Answer<Accepted> {
        self.post(&of_snapshot(snapshot, "keep"), &KeepBody { name: name.into(), tags })
    }

    pub fn tag_resource(&self, resource: &str, body: &TagBody) -> Answer<Accepted> {
        self.post(&of_resource(resource, "tags"), body)
    }

    pub fn tag_snapshot(&self, snapshot: &str, body: &TagBody) -> Answer<Accepted> {
        self.post(&of_snapshot(snapshot, "tags"), body)
    }

    /// A new resource, where nothing is yet.
    pub fn create(&self, snapshot: &str, body: &CreateBody) -> Answer<Accepted> {
        self.post(&of_snapshot(snapshot, "create"), body)
    }

    pub fn rollback(&self, resource: &str, body: &RollbackBody) -> Answer<Accepted> {
        self.post(&of_resource(resource, "rollback"), body)
    }

    pub fn attach(&self, instance: &str, disk: &str) -> Answer<Accepted> {
        self.post(&of_resource(instance, "attach"), &AttachBody { disk: disk.into() })
    }

    pub fn detach(&self, instance: &str, disk: &str) -> Answer<Accepted> {
        self.post(&of_resource(instance, "detach"), &AttachBody { disk: disk.into() })
    }

    /// Into the trash, or with `now` for good.
    pub fn delete(&self, snapshot: &str, now: bool) -> Answer<Accepted> {
        let path = format!("/v1/snapshots/{}", segment(snapshot));
        self.change(Method::DELETE, &path, &DeleteQuery { now: now.then_some(true) }, None)
    }

    /// Takes back an operation that has not begun.
    pub fn cancel(&self, id: u64) -> Answer<Accepted> {
        self.post(&format!("/v1/operations/{id}/cancel"), &Nothing {})
    }

    pub fn undelete(&self, snapshot: &str) -> Answer<Accepted> {
        self.post(&of_snapshot(snapshot, "undelete"), &Nothing {})
    }

    pub fn reload(&self) -> Answer<Reloaded> {
        self.post("/v1/reload", &Nothing {})
    }

    pub fn check(&self) -> Answer<Check> {
        self.post("/v1/check", &Nothing {})
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Answer<T> {
        self.change(Method::POST, path, &Nothing {}, Some(encode(body)?))
    }
}

fn of_resource(name: &str, verb: &str) -> String {
    format!("/v1/resources/{}/{verb}", segment(name))
}

fn of_snapshot(snapshot: &str, verb: &str) -> String {
    format!("/v1/snapshots/{}/{verb}", segment(snapshot))
}

fn encode(body: &impl Serialize) -> Answer<Vec<u8>> {
    serde_json::to_vec(body).map_err(|error| ClientError::Unsendable(error.to_string()))
}

fn follow(
    mut each: impl FnMut(&Operation),
    mut look: impl FnMut() -> Answer<Operation>,
) -> Answer<Operation> {
    loop {
        let operation = look()?;
        if !operation.state.is_open() {
            return Ok(operation);
        }
        each(&operation);
    }
}
