//! What clients send: bodies and queries. An unknown field is refused, so that a misspelt one
//! never passes for a wish that was granted.

use super::{NameText, Origin, PathText, ReferenceText, Tags, TimeText};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Take a snapshot now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeBody {
    /// Without it heptad makes one of the resource's name and the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NameText>)]
    pub name: Option<String>,
    #[serde(default)]
    pub tags: Tags,
    /// Only an instance's system disk: a snapshot of a disk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub system_disk: bool,
}

impl TakeBody {
    /// All of a resource, under this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), tags: Tags::new(), system_disk: false }
    }
}

/// Keep an automatic snapshot as a manual one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepBody {
    #[schema(value_type = NameText)]
    pub name: String,
    #[serde(default)]
    pub tags: Tags,
}

/// Change the tags of a resource or a snapshot; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TagBody {
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub set: Tags,
    /// Keys. One that is not there is no fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// Create a new resource from a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBody {
    /// The new resource's name.
    #[schema(value_type = NameText)]
    pub name: String,
    /// Absolute; must not exist. Without it, beside the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PathText>)]
    pub path: Option<String>,
    /// Of the configuration, for an instance or a database; without it, the size that it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NameText>)]
    pub plan: Option<String>,
    /// Of a disk, or of an instance's system disk, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub size: Option<u64>,
    /// Where a database's server listens; without it, where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// `HH:MM`: put it under protection, with automatic snapshots at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TimeText>)]
    pub time: Option<String>,
    /// Beside those that it inherits.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// What the attached disks of an instance are called as resources, by what the instance calls
    /// them: `{"vdb": "data-2"}`. Without it `NAME-vdb`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, NameText>)]
    pub attached_disks: BTreeMap<String, String>,
}

/// Put the content of a snapshot in place of the live one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackBody {
    /// NAME, RESOURCE@SLOT or RESOURCE@latest.
    #[schema(value_type = ReferenceText)]
    pub to: String,
    /// The name of the snapshot that is taken before; without it heptad chooses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(alias = "safety")]
    #[schema(value_type = Option<NameText>)]
    pub backup_name: Option<String>,
}

/// Give an instance a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachBody {
    /// A resource of kind disk.
    #[schema(value_type = NameText)]
    pub disk: String,
}

/// Switch automatic snapshots on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnableBody {
    /// `HH:MM`; without it the time stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TimeText>)]
    pub time: Option<String>,
}

/// Change the time of day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTimeBody {
    /// `HH:MM` in the resource's zone.
    #[schema(value_type = TimeText)]
    pub time: String,
}

/// Put something under protection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectBody {
    /// A directory or a file, absolute. This or `domain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PathText>)]
    pub path: Option<String>,
    /// A guest of libvirt, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Without it heptad makes one from the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NameText>)]
    pub name: Option<String>,
    /// `HH:MM`; without it as `[defaults]` of the configuration has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TimeText>)]
    pub time: Option<String>,
    /// What a first snapshot is going to be called, which is taken by a request of its own: refused
    /// here, before anything is declared, if it is no name or belongs to another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NameText>)]
    pub first: Option<String>,
    /// Only say what would be done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Forget a resource that left the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetBody {
    /// What becomes of its automatic snapshots.
    #[serde(default)]
    pub automatic: Leftovers,
    /// The name of a last snapshot, taken before. Of an instance or a database this or `skip_final`
    /// has to be said.
    #[serde(default, rename = "final", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NameText>)]
    pub last: Option<String>,
    /// Without a last snapshot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_final: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Leftovers {
    #[default]
    Keep,
    Trash,
}

/// For routes that take no body or query: an empty object is welcome.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams,
)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SlotsQuery {
    /// `YYYY-MM-DD` in the resource's zone; today without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(format = Date)]
    pub day: Option<String>,
}

/// How far one resource's forecast looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DaysQuery {
    /// 1 to 366; 7 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 366)]
    pub days: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ForecastQuery {
    /// 1 to 366; 7 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 366)]
    pub days: Option<u32>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<NameText>)]
    pub after: Option<String>,
    /// 1 to 1000 resources; 1000 without it. Fewer if they have much to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResourcesQuery {
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<NameText>)]
    pub after: Option<String>,
    /// 1 to 1000; 1000 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SnapshotsQuery {
    /// Only those of this resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<NameText>)]
    pub resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Also those in the trash and those that are being taken or destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// 1 to 1000; 1000 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// Destroy at once, not by way of the trash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OperationsQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<NameText>)]
    pub resource: Option<String>,
    /// Only those that are not finished, or only those that are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// Only older ones: the `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(format = "uint64")]
    pub before: Option<u64>,
    /// 1 to 1000; 50 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OperationQuery {
    /// Answer when the operation is finished, or after so many seconds; at most 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 300)]
    pub wait: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// The last generation that was seen. With `wait` the answer is one JSON object; without it,
    /// a stream that begins there. Without both, the stream begins now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(format = "uint64")]
    pub after: Option<u64>,
    /// Answer at the first change, or after so many seconds with none; at most 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 300)]
    pub wait: Option<u32>,
}
