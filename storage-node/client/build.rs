//! Generates the gRPC stubs of the storage API; the messages come from `kontor-storage-proto`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../proto/kontor");
    let files = ["content", "directory", "mailbox", "queue", "events", "care"]
        .map(|name| format!("kontor/storage/v1/{name}.proto"));
    let descriptors = protox::compile(files, ["../proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_client(true)
        .extern_path(".kontor.storage.v1", "::kontor_storage_proto")
        .compile_fds(descriptors)?;
    Ok(())
}
