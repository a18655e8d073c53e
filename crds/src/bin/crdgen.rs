//! Writes the definitions of all kinds to `crds/yaml` and to the chart.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in [crate_folder.join("yaml"), crate_folder.join("../charts/kontor/files/crds")] {
        for crd in kontor_crds::definitions() {
            let path = folder.join(format!("{}.yaml", crd.spec.names.plural));
            let written = std::fs::create_dir_all(&folder).map_err(|e| e.to_string()).and_then(|()| {
                let yaml = kontor_crds::to_yaml(&crd)?;
                std::fs::write(&path, yaml).map_err(|e| e.to_string())
            });
            if let Err(error) = written {
                eprintln!("cannot write {}: {error}", path.display());
                return ExitCode::FAILURE;
            }
            println!("{}", path.display());
        }
    }
    ExitCode::SUCCESS
}
