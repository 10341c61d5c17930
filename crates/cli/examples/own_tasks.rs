//! Your own binary with every command of `outwork`, and your tasks:
//!
//! ```sh
//! cargo run -p outwork-cli --example own_tasks -- run text.shout '"hello"'
//! seq 5 | cargo run -p outwork-cli --example own_tasks -- map math.square
//! ```

use std::process::ExitCode;

use outwork_cli::App;
use outwork_core::{BoxError, RegisterError, Registry, TaskDef};

const SQUARE: TaskDef<u64, u64> = TaskDef::new("math.square");
const SHOUT: TaskDef<String, String> = TaskDef::new("text.shout");

fn tasks() -> Result<Registry, RegisterError> {
    let mut registry = Registry::new();
    registry.register(SQUARE, |_, n| n.checked_mul(n).ok_or("too large"))?;
    registry
        .register_async(SHOUT, |_, text| async move { Ok::<_, BoxError>(text.to_uppercase()) })?;
    Ok(registry)
}

fn main() -> ExitCode {
    App::new(tasks().expect("the names are different")).main()
}
