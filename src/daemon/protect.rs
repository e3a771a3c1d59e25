//! Putting something under protection at a command. First it is looked at, which may take as long
//! as its disk likes; then, quickly and alone, it is judged beside everything else, declared by a
//! file of heptad's own, and put in force.

use super::allowed::{self, Allowed};
use super::check;
use super::enroll::{enroll, withdraw};
use super::looking::{Look, build, look, shown};
use super::service::DaemonService;
use super::setup::Setup;
use crate::api::wire;
use crate::backend::Backend;
use crate::backend::recognise::{Place, Recognised};
use crate::config::{Enrolment, enrolled_file};
use crate::domain::account::Account;
use crate::domain::key::Key;
use crate::domain::ledger::Ledger;
use crate::domain::name::{ENROLLED_NAME_LIMIT, ResourceName};
use crate::domain::policy::When;
use crate::domain::protect::{Unprotectable, Wish, name_for};
use crate::domain::tag::Tags;
use crate::host::drop_in::DropIn;
use crate::host::mounts::Mounts;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use tokio::sync::oneshot;

/// Answers that are given again to the same key.
const REMEMBERED: usize = 64;

impl DaemonService {
    /// # Errors
    /// [`Unprotectable`]; nothing is declared then.
    pub(super) async fn put_under_protection(
        &self,
        key: Option<Key>,
        wish: Wish,
    ) -> Result<wire::Protected, Unprotectable> {
        if let Some(answer) = key.as_ref().and_then(|key| self.answered(key)) {
            return answer;
        }
        let (tell, told) = oneshot::channel();
        let (target, state) = (wish.target.clone(), self.state.clone());
        // A place whose disk hangs holds up nobody but who asked.
        let looking = std::thread::Builder::new().name("looking".into());
        let looking = looking.spawn(move || drop(tell.send(look(&target, &state))));
        looking.map_err(|error| Unprotectable::Unwritten { why: error.to_string() })?;
        let stopped = |_| Unprotectable::Unwritten { why: "a bug in heptad stopped it".into() };
        let look = told.await.map_err(stopped)??;
        let answer = tokio::task::block_in_place(|| self.declare_new(&wish, look))?;
        if let Some(key) = key.filter(|_| answer.written) {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.push_back((key, answer.clone()));
            let excess = answers.len().saturating_sub(REMEMBERED);
            answers.drain(..excess);
        }
        Ok(answer)
    }

    /// What was answered to the same request before. After a restart that is not known any more,
    /// and then it is protected already: nothing is done twice.
    fn answered(&self, key: &Key) -> Option<Result<wire::Protected, Unprotectable>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, answer) = answers.iter().find(|(known, _)| known.text == key.text)?;
        Some(match before.digest == key.digest {
            true => Ok(answer.clone()),
            false => Err(Unprotectable::KeyReused { key: key.text.clone() }),
        })
    }

    fn declare_new(&self, wish: &Wish, look: Look) -> Result<wire::Protected, Unprotectable> {
        let _alone = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ledger = self.published.borrow().ledger.clone();
        let Look { place, found, identity, mut notes } = look;
        let shown = shown(&place);
        if let Some(by) = protector(&ledger, &found, &identity) {
            return Err(Unprotectable::Already { place: shown, by });
        }
        let name = name(wish, &place, &found, &ledger)?;
        let backend = build(&found, &name, &self.state, &shown)?;
        if let Place::Path(path) = &place {
            own_ground(path, &self.state, &ledger, &setup)?;
        }
        may_be_taken(&*backend, &place, &shown)?;
        if let Place::Path(path) = &place
            && let Some(why) = allowed::closed_place(path)
        {
            notes.push(format!("it can be taken and looked into, but not rolled back: {why}"));
        }
        if let Some(finding) = check::misfits(&setup, &name, &backend).into_iter().next() {
            let (problem, hint) = (finding.problem, finding.hint);
            return Err(Unprotectable::Unfit { place: shown, problem, hint });
        }
        if found.backend == "libvirt" {
            notes.extend(far_store(&*backend));
        }
        if ledger.account(&name).is_some() {
            notes.push(format!("its earlier snapshots, taken as {name}, are in its series"));
        }
        let declared = enrolment(&name, &found, wish);
        let unwritable = |why: String| Unprotectable::Unwritten { why };
        let answer = wire::Protected {
            name: name.to_string(),
            kind: found.kind.word().into(),
            backend: found.backend.into(),
            what: found.what.clone(),
            place: shown,
            file: enrolled_file(&self.state, &name).display().to_string(),
            table: declared.table().map_err(|error| unwritable(error.to_string()))?,
            written: !wish.dry_run,
            notes,
        };
        if !wish.dry_run {
            enroll(&self.state, &declared).map_err(|error| unwritable(error.to_string()))?;
            // One that was forgotten is known again.
            self.welcome(&name).map_err(|findings| {
                let _ = withdraw(&self.state, &name);
                unwritable(findings.to_string())
            })?;
            let (place, file) = (&answer.place, &answer.file);
            tracing::info!(resource = %name, place, file, "{name}: declared in {file}, for {place}");
        }
        Ok(answer)
    }
}

/// Where copies could share blocks with what they are copied from, and the store is elsewhere.
fn far_store(backend: &dyn Backend) -> Option<String> {
    let ground = backend.territory();
    let (root, store) = (ground.roots.first()?, ground.store?);
    let device = |path: &Path| {
        let there = path.ancestors().find_map(|path| path.metadata().ok());
        there.map(|meta| meta.dev())
    };
    let table = Mounts::read().ok()?;
    let fs_type = table.of(root).map(|mount| mount.fs_type.as_str()).unwrap_or_default();
    let is_far = device(root) != device(&store);
    is_far.then(|| apart(fs_type, root.parent()?, &store)).flatten()
}

fn apart(fs_type: &str, images: &Path, store: &Path) -> Option<String> {
    let (images, store) = (images.display(), store.display());
    (fs_type == "xfs").then(|| {
        format!(
            "its images lie on xfs, where a snapshot could share their blocks, but its snapshots go \
             to another file system, {store}: each copies all of it. To have them beside the images, \
             write its table into the configuration yourself, with store = \"{images}/.heptad\""
        )
    })
}

/// The resource that is this very thing, perhaps by another path to it.
fn protector(ledger: &Ledger, found: &Recognised, identity: &str) -> Option<ResourceName> {
    let same = |account: &&Arc<Account>| {
        let by_identity = account.resource.backend.kind == found.backend
            && account.identity.as_deref() == Some(identity)
            && !is_copy(account, found);
        account.declared && !account.forgotten && (by_identity || is_at(account, found))
    };
    ledger.accounts.values().find(same).map(|account| account.name().clone())
}

/// A cluster of PostgreSQL is known by a number that copies of it have as well.
fn is_copy(account: &Account, found: &Recognised) -> bool {
    let options: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&account.resource.backend.options).unwrap_or_default();
    let real = |options: &serde_json::Map<String, serde_json::Value>| {
        std::fs::canonicalize(options.get("data")?.as_str()?).ok()
    };
    found.backend == "postgres" && real(&options) != real(&found.options)
}

/// Whether an account's resource is declared at the same place.
fn is_at(account: &Account, found: &Recognised) -> bool {
    let binding = &account.resource.backend;
    let options: Result<serde_json::Map<_, _>, _> = serde_json::from_str(&binding.options);
    let same = |options: serde_json::Map<String, serde_json::Value>| {
        found.options.iter().all(|(key, value)| options.get(key) == Some(value))
    };
    binding.kind == found.backend && options.is_ok_and(same)
}

/// As wished; else that under which it was known before; else one made from where it is.
fn name(
    wish: &Wish,
    place: &Place,
    found: &Recognised,
    ledger: &Ledger,
) -> Result<ResourceName, Unprotectable> {
    let was = |account: &Account| (!account.declared || account.forgotten) && is_at(account, found);
    let clashes = |name: &ResourceName| {
        let same = |other: &&ResourceName| other.as_str().eq_ignore_ascii_case(name.as_str());
        ledger.resource_names().find(same).cloned()
    };
    let is_free = |name: &ResourceName| clashes(name).is_none();
    if let Some(name) = &wish.name {
        return match clashes(name) {
            Some(other) if &other != name || !ledger.account(name).is_some_and(was) => {
                let like = std::iter::once(name.as_str());
                let free = name_for(like, ENROLLED_NAME_LIMIT, is_free);
                Err(Unprotectable::NameTaken { name: other, free })
            }
            _ => Ok(name.clone()),
        };
    }
    if let Some(account) = ledger.accounts.values().find(|account| was(account)) {
        return Ok(account.name().clone());
    }
    let text = match place {
        Place::Path(path) => path.display().to_string(),
        Place::Domain(name) => name.clone(),
    };
    // The ending of a database's file says what it is, not what it is for.
    let text = match (found.backend, text.rsplit_once('.')) {
        ("sqlite" | "libvirt", Some((stem, ending))) if !ending.contains('/') => stem.to_owned(),
        _ => text,
    };
    name_for(text.split('/'), ENROLLED_NAME_LIMIT, is_free).ok_or_else(|| {
        Unprotectable::Unwritten { why: "no name is free; say one with --name".into() }
    })
}

/// Nothing of heptad's own is content: neither its state nor what it made.
fn own_ground(
    path: &Path,
    state: &Path,
    ledger: &Ledger,
    setup: &Setup,
) -> Result<(), Unprotectable> {
    let stores = setup.bound.values().filter_map(|binding| binding.backend.territory().store);
    let stored = stores.flat_map(|store| {
        ledger.accounts.keys().map(move |name| store.join(name.as_str())).collect::<Vec<_>>()
    });
    let hidden = path.components().any(|part| part.as_os_str() == ".heptad");
    let inside =
        path.starts_with(state) || hidden || stored.into_iter().any(|s| path.starts_with(s));
    match inside {
        true => Err(Unprotectable::OwnGround { place: path.display().to_string() }),
        false => Ok(()),
    }
}

fn may_be_taken(backend: &dyn Backend, place: &Place, shown: &str) -> Result<(), Unprotectable> {
    let needs = backend.capabilities().drop_ins.contains(&DropIn::Databases);
    let of_root =
        matches!(place, Place::Path(path) if allowed::are_roots(std::slice::from_ref(path)));
    let missing = Allowed::Here.lacking(DropIn::Databases);
    if !needs || of_root || missing.is_empty() {
        return Ok(());
    }
    let way_out = DropIn::Databases.commands();
    Err(Unprotectable::NotAllowed { place: shown.to_owned(), missing, way_out })
}

fn enrolment(name: &ResourceName, found: &Recognised, wish: &Wish) -> Enrolment {
    Enrolment {
        name: name.clone(),
        kind: found.kind,
        backend: found.backend.into(),
        options: found.options.clone(),
        when: wish.time.map(When::Daily),
        zone: None,
        retention: None,
        enabled: None,
        tags: Tags::new(),
        plan: None,
        blueprint: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Entry;
    use crate::domain::new_resource::NewResource;
    use crate::domain::operation::{Act, State};
    use crate::domain::protect::Target;
    use crate::domain::resource::Kind;
    use crate::domain::sample::operation;
    use crate::domain::snapshot::Seq;

    #[test]
    fn a_name_that_is_promised_to_what_is_still_to_be_made_is_taken() {
        let mut draft = NewResource::named("shop".parse().unwrap());
        draft.disks.insert("vdb".into(), "shop-vdb".parse().unwrap());
        let act = Act::Create { from: Seq(1), draft: Box::new(draft) };
        let mut ledger = Ledger::default();
        ledger.apply(&Entry::Operation(operation(act, State::Queued)));
        let check = |path: &str, wished: Option<&str>, want: Result<&str, &str>| {
            let wish = Wish {
                target: Target::Path(path.into()),
                name: wished.map(|name| name.parse().unwrap()),
                time: None,
                dry_run: false,
            };
            let options = [("path".to_owned(), path.into())].into_iter().collect();
            let (backend, what) = ("files", "a directory".to_owned());
            let found = Recognised { backend, kind: Kind::Disk, options, what };
            let got = name(&wish, &Place::Path(path.into()), &found, &ledger);
            let got = got.as_ref().map(ResourceName::as_str).map_err(|error| match error {
                Unprotectable::NameTaken { name, .. } => name.as_str(),
                other => panic!("{other:?}"),
            });
            assert_eq!(got, want, "{path} {wished:?}");
        };
        check("/srv/shop", None, Ok("shop-2"));
        check("/srv/SHOP-vdb", None, Ok("SHOP-vdb-2"));
        check("/srv/other", Some("Shop"), Err("shop"));
        check("/srv/other", None, Ok("other"));
    }

    #[test]
    fn a_store_beside_the_images_is_named_where_it_would_share_their_blocks() {
        let check = |fs_type: &str, want: bool| {
            let said = apart(fs_type, Path::new("/srv/images"), Path::new("/var/lib/heptad/store"));
            let named = said.as_ref().is_some_and(|said| {
                said.contains("/var/lib/heptad/store") && said.contains("\"/srv/images/.heptad\"")
            });
            assert_eq!((said.is_some(), named), (want, want), "{fs_type}: {said:?}");
        };
        check("xfs", true);
        check("ext4", false);
    }
}
