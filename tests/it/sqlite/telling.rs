//! How far a copy is, while SQLite makes it.

use super::bench::{RESOURCE, backend, fill, helper, scratch};
use crate::conformance::card;
use crate::support::telling::Told;
use crate::support::trusted;
use heptad::backend::TakeOrder;
use serde_json::json;
use std::os::unix::fs::MetadataExt;

#[test]
fn how_much_of_a_database_is_copied_is_told_while_that_goes_on() {
    let (dir, programs) = (scratch(), trusted::dir());
    let live = dir.path().join("live.db");
    fill(&live, "create table t (b); insert into t values (zeroblob(2000000));");
    let told = Told::by(&dir.path().join("told"));
    let waiting = programs.path().join("helper");
    told.then(&helper(), &waiting);
    let mut backend = backend(RESOURCE, &live, &dir.path().join("store"), &json!({}));
    let cards = [card(1), card(2)];
    let [first, second] =
        cards.each_ref().map(|card| TakeOrder { card, source: None, previous: None });
    backend.take(&first, &()).unwrap();
    let context = heptad::backend::options::Context {
        resource: RESOURCE.parse().unwrap(),
        state: dir.path().into(),
    };
    let options = json!({ "path": live, "store": dir.path().join("store"), "helper": waiting });
    let options = options.as_object().unwrap();
    backend = heptad::backend::registry::build("sqlite", options, &context).unwrap();
    backend.take(&second, &told).unwrap();
    let whole = live.metadata().unwrap().blocks() * 512;
    let (done, total) = told.all.lock().unwrap()[0];
    assert!(done <= whole && total == Some(whole), "{done} of {total:?}");
}
