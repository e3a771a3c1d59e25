//! A cluster that `heptactl protect` finds out to be one.

use super::server::{cluster, scratch};
use crate::daemon::host::{Host, at};

#[test]
fn a_data_directory_is_known_as_a_cluster_and_what_lies_in_it_as_a_part_of_one() {
    let fs = scratch("xfs", 512);
    std::fs::create_dir(fs.path().join("shop")).unwrap();
    let data = fs.path().join("shop/data");
    cluster(&data);
    let mut host = Host::new(&at(1, "12:00"));
    host.configure("");
    host.start();
    let data = data.display();
    for part in ["base/1", "postgresql.conf"] {
        let refused = host.ctl(&format!("protect {data}/{part}"));
        assert_eq!(refused.code, 1);
        let why = format!("it is a part of the PostgreSQL cluster {data}; protect that");
        assert!(refused.err.contains(&why), "{refused:?}");
    }
    let said = host.ok(&format!("protect {data} --take first"));
    assert!(said.starts_with(&format!("shop-data: {data} is a PostgreSQL ")), "{said}");
    assert!(said.contains("  kind = \"database\"\n") && said.ends_with("took first\n"), "{said}");
    assert_eq!(host.labels("shop-data"), ["first"]);
}
