//! Where the configuration, the state and the socket are when nobody says otherwise. Pure: the
//! user id and the environment come in as arguments.
//!
//! Root has the system's places, any other user the places of the XDG Base Directory
//! Specification, where an empty or relative variable counts as unset.

use super::finding::{Effect, Finding, Findings};
use std::path::{Path, PathBuf};

/// Where to look for a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locations {
    pub file: PathBuf,
    /// The directory of drop-ins; it may be missing.
    pub drop_ins: PathBuf,
    pub defaults: DaemonDefaults,
}

/// The `[daemon]` settings that depend on who runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonDefaults {
    pub socket: PathBuf,
    pub state: PathBuf,
}

impl Locations {
    /// The places of root's daemon, one per host.
    pub fn system() -> Self {
        Self {
            file: "/etc/heptad/heptad.toml".into(),
            drop_ins: "/etc/heptad/conf.d".into(),
            defaults: DaemonDefaults {
                socket: "/run/heptad/heptad.sock".into(),
                state: "/var/lib/heptad".into(),
            },
        }
    }

    /// The places of an ordinary user's daemon: configuration in `$XDG_CONFIG_HOME/heptad` (else
    /// `~/.config/heptad`), state in `$XDG_STATE_HOME/heptad` (else `~/.local/state/heptad`), the
    /// socket in `$XDG_RUNTIME_DIR/heptad` (else `/run/user/UID/heptad`, where logind puts it).
    ///
    /// # Errors
    /// A place is needed below `HOME`, and that is unset or relative.
    pub fn user(uid: u32, env: &[(String, String)]) -> Result<Self, Findings> {
        let config = below_home(env, "XDG_CONFIG_HOME", ".config")?;
        let state = below_home(env, "XDG_STATE_HOME", ".local/state")?;
        let runtime = absolute(env, "XDG_RUNTIME_DIR")
            .unwrap_or_else(|| Path::new("/run/user").join(uid.to_string()));
        Ok(Self {
            file: config.join("heptad/heptad.toml"),
            drop_ins: config.join("heptad/conf.d"),
            defaults: DaemonDefaults {
                socket: runtime.join("heptad/heptad.sock"),
                state: state.join("heptad"),
            },
        })
    }

    /// The system's places for root, their own for anybody else.
    ///
    /// # Errors
    /// As [`Locations::user`].
    pub fn of(uid: u32, env: &[(String, String)]) -> Result<Self, Findings> {
        if uid == 0 { Ok(Self::system()) } else { Self::user(uid, env) }
    }

    /// The same with another main file; its drop-ins are in `conf.d` beside it.
    pub fn with_file(self, file: PathBuf) -> Self {
        let drop_ins = file.parent().unwrap_or(Path::new("/")).join("conf.d");
        Self { file, drop_ins, ..self }
    }
}

fn absolute(env: &[(String, String)], variable: &str) -> Option<PathBuf> {
    let (_, value) = env.iter().find(|(name, _)| name == variable)?;
    Some(PathBuf::from(value)).filter(|path| path.is_absolute())
}

fn below_home(
    env: &[(String, String)],
    variable: &str,
    fallback: &str,
) -> Result<PathBuf, Findings> {
    let home = || absolute(env, "HOME").map(|home| home.join(fallback));
    absolute(env, variable).or_else(home).ok_or_else(|| {
        Findings::from(vec![Finding {
            file: None,
            line: None,
            column: None,
            key: "HOME (environment)".into(),
            problem: "is not set to an absolute path".into(),
            hint: format!("set HOME, or {variable}"),
            effect: Effect::Refuses,
        }])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn root_has_the_places_of_the_system_whatever_the_environment() {
        let locations = Locations::of(0, &env(&[("XDG_CONFIG_HOME", "/x")])).unwrap();
        assert_eq!(locations, Locations::system());
    }

    #[test]
    fn a_user_has_the_places_of_xdg() {
        let check = |pairs: &[(&str, &str)], want: [&str; 3]| {
            let found = Locations::of(1000, &env(pairs)).unwrap();
            let state = &found.defaults.state;
            let got = [&found.file, state, &found.defaults.socket].map(PathBuf::as_path);
            assert_eq!(got, want.map(Path::new), "{pairs:?}");
            assert_eq!(found.drop_ins, found.file.with_file_name("conf.d"));
        };
        let fallback = [
            "/home/ann/.config/heptad/heptad.toml",
            "/home/ann/.local/state/heptad",
            "/run/user/1000/heptad/heptad.sock",
        ];
        check(&[("HOME", "/home/ann")], fallback);
        let odd = [("HOME", "/home/ann"), ("XDG_CONFIG_HOME", ""), ("XDG_STATE_HOME", "rel/ative")];
        check(&odd, fallback);
        check(
            &[("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s"), ("XDG_RUNTIME_DIR", "/r")],
            ["/c/heptad/heptad.toml", "/s/heptad", "/r/heptad/heptad.sock"],
        );
    }

    #[test]
    fn without_a_home_the_answer_names_what_to_set() {
        let check = |pairs: &[(&str, &str)], want: &str| {
            let findings = Locations::of(1000, &env(pairs)).unwrap_err();
            assert!(findings.to_string().contains(want), "{findings}");
        };
        check(&[], "set HOME, or XDG_CONFIG_HOME");
        check(&[("XDG_CONFIG_HOME", "/c")], "set HOME, or XDG_STATE_HOME");
        check(&[("HOME", "ann")], "is not set to an absolute path");
    }

    #[test]
    fn another_main_file_brings_its_own_drop_ins() {
        let locations = Locations::system().with_file("/srv/h/my.toml".into());
        assert_eq!(locations.drop_ins, Path::new("/srv/h/conf.d"));
        assert_eq!(locations.defaults, Locations::system().defaults);
    }
}
