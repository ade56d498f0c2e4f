//! Has the crate built again when a migration is added: the compiler sees changes only of those it has embedded already.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
