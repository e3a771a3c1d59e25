//! Plans and blueprints.

use super::super::service::Offers;
use crate::api::wire;
use crate::domain::plan::{Blueprint, Offer, Plan};

/// The smallest first: by memory, then by processors, then by disk.
pub(crate) fn plans(mut offers: Offers) -> wire::Plans {
    offers
        .plans
        .sort_by_key(|Offer { plan, .. }| (plan.memory, plan.vcpus, plan.disk, plan.name.clone()));
    let offer = |offer: &Offer| wire::Offer { plan: plan(&offer.plan), price: offer.price };
    wire::Plans { currency: offers.currency, plans: offers.plans.iter().map(offer).collect() }
}

pub(crate) fn blueprints(offers: Offers) -> wire::Blueprints {
    let blueprint = |blueprint: Blueprint| wire::Blueprint {
        name: blueprint.name.to_string(),
        description: blueprint.description,
        export: blueprint.export,
    };
    wire::Blueprints { blueprints: offers.blueprints.into_iter().map(blueprint).collect() }
}

pub(super) fn plan(plan: &Plan) -> wire::Plan {
    let &Plan { vcpus, memory, disk, .. } = plan;
    wire::Plan { name: plan.name.to_string(), vcpus, memory_bytes: memory, disk_bytes: disk }
}
