//! A technology that exists in memory only: for the simulator, which needs a disk that survives a
//! power cut and that can be made to fail. Never offered in the configuration.

use super::facets::InPlace;
use super::{
    Backend, Capabilities, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder, Territory,
};
use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::snapshot::{Card, Content, Handle, Seq};
use crate::domain::survey::{Found, Mark, Survey, Wholeness};
use crate::domain::told::Told;
use crate::domain::usage::Usage;
use crate::fs::{Progress, StorageError};
use crate::store::identity::Probe;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The disk: what it holds survives its users.
#[derive(Clone, Debug, Default)]
pub struct FakeDisk(Arc<Mutex<World>>);

#[derive(Clone, Debug, Default)]
pub struct World {
    pub lives: BTreeMap<ResourceName, Live>,
    pub objects: BTreeMap<(ResourceName, Seq), FakeObject>,
    pub high_water: BTreeMap<ResourceName, Seq>,
    pub restored: Vec<String>,
    /// What the next snapshots lack of a live resource.
    pub incomplete: Option<String>,
    /// The next acts fail like this, in order; `None` lets one pass.
    pub faults: VecDeque<Option<Fault>>,
    /// Every destruction, for the invariants: the victim and the complete ones beside it.
    pub destroyed: Vec<(ResourceName, Card)>,
}

#[derive(Clone, Debug)]
pub struct Live {
    pub identity: Option<String>,
    pub entries: u64,
    /// By which rollback its content came into its place.
    pub turned: Option<uuid::Uuid>,
}

#[derive(Clone, Debug)]
pub struct FakeObject {
    pub card: Card,
    pub state: Wholeness,
    pub mark: Mark,
    pub content: Content,
}

impl World {
    /// Another content, which makes it another one than before.
    pub fn roll_back(&mut self, resource: &ResourceName, content: Content, token: uuid::Uuid) {
        if let Some(live) = self.lives.get_mut(resource) {
            live.turned = Some(token);
            live.entries = content.entries.unwrap_or_default();
        }
    }
}

impl FakeDisk {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An independent copy, as a disk image taken now.
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.world().clone())))
    }

    pub fn backend(&self, resource: &ResourceName) -> FakeBackend {
        FakeBackend { disk: self.clone(), resource: resource.clone() }
    }
}

#[derive(Clone, Debug)]
pub struct FakeBackend {
    disk: FakeDisk,
    resource: ResourceName,
}

impl FakeBackend {
    fn key(&self, handle: &Handle) -> (ResourceName, Seq) {
        (self.resource.clone(), handle.seq)
    }

    /// A taking that fails has begun something, as on a real disk.
    fn begin(&self, card: &Card) {
        let half = FakeObject {
            card: card.clone(),
            state: Wholeness::Partial,
            mark: Mark::default(),
            content: Content::default(),
        };
        self.disk.world().objects.entry(self.key(&card.handle)).or_insert(half);
    }

    fn act(&self, doing: &str) -> Result<MutexGuard<'_, World>, StorageError> {
        let mut world = self.disk.world();
        match world.faults.pop_front().flatten() {
            Some(fault) => Err(StorageError::new(fault, doing, "as scripted")),
            None => Ok(world),
        }
    }
}

fn absent(doing: &str) -> StorageError {
    StorageError::new(Fault::Absent, doing, "it is not there")
}

impl Backend for FakeBackend {
    fn capabilities(&self) -> Capabilities {
        Capabilities { instant: true, in_flight: 1, ..Capabilities::default() }
    }

    fn pool(&self) -> String {
        "fake".into()
    }

    fn territory(&self) -> Territory {
        Territory::default()
    }

    fn probe(&self) -> Result<Probe, StorageError> {
        let world = self.disk.world();
        let live = world.lives.get(&self.resource);
        let identity = live.and_then(|live| {
            let turned = live.turned.map(|token| format!("+{token}")).unwrap_or_default();
            live.identity.as_ref().map(|identity| format!("{identity}{turned}"))
        });
        identity.map(|identity| Probe { identity }).ok_or_else(|| absent("looking at it"))
    }

    fn take(&self, order: &TakeOrder<'_>, progress: &dyn Progress) -> Result<Object, StorageError> {
        let card = order.card;
        progress.wanted().inspect_err(|_| self.begin(card))?;
        let mut world = self.act("taking").inspect_err(|_| self.begin(card))?;
        let content = match order.source {
            Some(source) => world.objects.get(&self.key(source)).map(|o| o.content),
            None => world.lives.get(&self.resource).map(|live| Content {
                empty: live.entries == 0,
                entries: Some(live.entries),
                bytes: None,
            }),
        };
        let content = content.ok_or_else(|| absent("taking"))?;
        let object = format!("object-{}", card.handle.id);
        let mut card = card.clone();
        card.handle.object.clone_from(&object);
        let water = world.high_water.entry(self.resource.clone()).or_default();
        *water = (*water).max(card.handle.seq);
        let incomplete = match order.source {
            Some(source) => world.objects.get(&self.key(source)).and_then(|o| o.mark.doubt.clone()),
            None => world.incomplete.clone(),
        };
        let mark = Mark { doubt: incomplete.clone(), ..Mark::default() };
        let whole = FakeObject { card, state: Wholeness::Whole, mark, content };
        let old = world.objects.insert(self.key(&order.card.handle), whole);
        if old.is_some_and(|old| old.card.handle.id != order.card.handle.id) {
            return Err(StorageError::new(Fault::Identity, "taking", "the number is in use"));
        }
        Ok(Object { object, notes: incomplete.iter().cloned().collect(), incomplete })
    }

    fn list(&self) -> Result<Survey, StorageError> {
        let world = self.act("listing")?;
        let all = (self.resource.clone(), Seq(0))..=(self.resource.clone(), Seq(u64::MAX));
        let ours = world.objects.range(all);
        let found = ours.map(|(_, object)| Found {
            card: object.card.clone(),
            state: object.state,
            mark: object.mark.clone(),
            content: None,
            notes: Vec::new(),
            told: Told::default(),
        });
        Ok(Survey {
            identity: None,
            absence: None,
            elsewhere: None,
            engine: None,
            disks: Vec::new(),
            found: found.collect(),
            high_water: world.high_water.get(&self.resource).copied().unwrap_or_default(),
        })
    }

    fn verify(&self, handle: &Handle, _progress: &dyn Progress) -> Result<Content, StorageError> {
        let world = self.disk.world();
        let object = world.objects.get(&self.key(handle));
        object.map(|object| object.content).ok_or_else(|| absent("verifying"))
    }

    fn destroy(&self, handle: &Handle) -> Result<(), StorageError> {
        let mut world = self.act("destroying")?;
        let key = self.key(handle);
        match world.objects.get(&key) {
            None => Ok(()),
            Some(object) if object.card.handle.id != handle.id => {
                Err(StorageError::new(Fault::Identity, "destroying", "something else is there"))
            }
            Some(object) => {
                let card = object.card.clone();
                world.objects.remove(&key);
                world.destroyed.push((self.resource.clone(), card));
                Ok(())
            }
        }
    }

    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, StorageError> {
        progress.wanted()?;
        let mut world = self.act("restoring")?;
        if !world.objects.contains_key(&self.key(order.handle)) {
            return Err(absent("restoring"));
        }
        world.restored.push(order.target.display().to_string());
        Ok(Restored::default())
    }

    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), StorageError> {
        let mut world = self.act("marking")?;
        let key = self.key(handle);
        let object = world.objects.get_mut(&key).ok_or_else(|| absent("marking"))?;
        object.mark = mark.clone();
        Ok(())
    }

    fn usage(&self, _handle: &Handle) -> Result<Usage, StorageError> {
        Ok(Usage::default())
    }

    fn in_place(&self) -> Option<&dyn InPlace> {
        Some(self)
    }
}

impl InPlace for FakeBackend {
    fn users(&self) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    fn rollback(
        &self,
        order: &RollbackOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Probe, StorageError> {
        let mut world = self.act("rolling back")?;
        let live = world.lives.get(&self.resource);
        // What is done already cannot be stopped any more.
        if live.is_none_or(|live| live.turned != Some(order.token)) {
            progress.wanted()?;
        }
        let object = world.objects.get(&self.key(order.handle));
        let content = object.ok_or_else(|| absent("rolling back"))?.content;
        if world.lives.get(&self.resource).is_none_or(|live| live.identity.is_none()) {
            return Err(absent("rolling back"));
        }
        world.roll_back(&self.resource, content, order.token);
        drop(world);
        self.probe()
    }
}
