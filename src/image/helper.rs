//! The helper: makes its mount while it still may, then serves it until nobody needs it.

use super::namespace::Image;
use super::protocol::{Order, Reply};
use super::serve::Served;
use crate::fs::tree::{Kind, Meta, open_file, open_nosymlink};
use crate::host::drop_in::DropIn;
use crate::host::helper::Call;
use crate::host::{fd_passing, sys};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Bytes of an order; paths are the most of it.
const ORDER: u64 = 1 << 20;

/// Serves what the order on the socket says. Returns the exit code.
pub fn serve(call: Call<'_>) -> u8 {
    let Call { args, err, .. } = call;
    let number = args.first().and_then(|number| number.to_str()?.parse().ok());
    let Some(Ok(socket)) = number.map(sys::duplicate) else {
        let _ = writeln!(err, "this is not for people, and it had no socket");
        return 1;
    };
    let socket = UnixStream::from(socket);
    let served = read(&socket).and_then(|order| prepare(&order));
    let session = match served {
        Ok((session, mount)) => {
            let note = serde_json::to_vec(&Reply::Ready).unwrap_or_default();
            if fd_passing::give(&socket, &note, mount.as_fd()).is_err() {
                return 1;
            }
            session
        }
        Err(why) => {
            let note = serde_json::to_vec(&Reply::Failed(why)).unwrap_or_default();
            // Who does not hear it sees that we ended.
            let _ = (&socket).write_all(&note);
            return 1;
        }
    };
    drop(socket);
    u8::from(session.run().is_err())
}

fn read(socket: &UnixStream) -> Result<Order, String> {
    let mut text = Vec::new();
    socket.take(ORDER).read_to_end(&mut text).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

fn prepare(order: &Order) -> Result<(fuser::Session<Served>, OwnedFd), String> {
    let images = order.disks.iter().map(|disk| {
        let path = disk.path.display();
        let reference = open_nosymlink(&disk.path).map_err(|error| error.to_string())?;
        let meta = Meta::of(&reference).map_err(|error| format!("{path}: {error}"))?;
        if meta.kind != Kind::File {
            return Err(format!("{path} is {}, no image file", meta.kind.words()));
        }
        let file = open_file(&reference).map_err(|error| format!("{path}: {error}"))?;
        Ok(Image { name: disk.name.clone(), file: file.into(), format: disk.format })
    });
    let images = images.collect::<Result<Vec<_>, _>>()?;
    let (device, mount) = mount(&order.source).map_err(|error| {
        let way_out = match nix::unistd::geteuid().is_root() {
            true if !DropIn::Images.lacking().is_empty() => DropIn::Images.way_out("/dev/fuse"),
            true => "load the kernel's module: modprobe fuse".into(),
            false => "heptad must be root for that".into(),
        };
        format!("no FUSE file system can be mounted ({error}): {way_out}")
    })?;
    let session = fuser::Session::from_fd(
        Served::new(images),
        device,
        fuser::SessionACL::All,
        fuser::Config::default(),
    );
    Ok((session.map_err(|error| error.to_string())?, mount))
}

/// A FUSE file system on a mount that is in nobody's tree.
fn mount(source: &str) -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let device = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let context = fsopen("fuse", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let fd = device.as_raw_fd().to_string();
    for (key, value) in [
        ("source", source),
        ("subtype", "heptad"),
        ("fd", &fd),
        ("rootmode", "40000"),
        ("user_id", "0"),
        ("group_id", "0"),
    ] {
        fsconfig_set_string(&context, key, value)?;
    }
    // Others than root may read what its owners allow them, and the kernel sees to that.
    for flag in ["ro", "allow_other", "default_permissions"] {
        fsconfig_set_flag(&context, flag)?;
    }
    fsconfig_create(&context)?;
    let harmless = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, harmless)?;
    Ok((device, mount))
}
