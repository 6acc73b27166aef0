//! The program of a task's holder: it waits for ever, so that the network namespace it was
//! started in exists. Nothing can be pulled, so it is written here byte by byte: an ELF
//! header, two program headers and one loop around a system call that only a signal ends.

use super::EngineError;
use super::archive::{File, Image};

/// Changes with the program, so that an older one on the engine is not mistaken for it.
const VERSION: u32 = 1;

/// Where the image is loaded; a multiple of every page size in use (up to 64 KiB).
const BASE: u64 = 0x40_0000;
const HEADERS: u64 = 64 + 2 * 56;

/// ELF machine number and code.
struct Program {
    machine: u16,
    code: &'static [u8],
}

/// `again: pause(); goto again`
const X86_64: Program = Program {
    machine: 62,
    code: &[
        0xb8, 0x22, 0x00, 0x00, 0x00, // mov eax, 34 (pause)
        0x0f, 0x05, // syscall
        0xeb, 0xf7, // jmp back
    ],
};

/// `again: ppoll(NULL, 0, NULL, NULL); goto again` (there is no `pause` on this architecture)
const AARCH64: Program = Program {
    machine: 183,
    code: &[
        0x00, 0x00, 0x80, 0xd2, // mov x0, #0
        0x01, 0x00, 0x80, 0xd2, // mov x1, #0
        0x02, 0x00, 0x80, 0xd2, // mov x2, #0
        0x03, 0x00, 0x80, 0xd2, // mov x3, #0
        0x28, 0x09, 0x80, 0xd2, // mov x8, #73 (ppoll)
        0x01, 0x00, 0x00, 0xd4, // svc #0
        0xfa, 0xff, 0xff, 0x17, // b back
    ],
};

/// The holder's image name on an engine of this architecture (Docker's word).
pub(crate) fn image_name(architecture: &str) -> String {
    format!("local-aws/holder:v{VERSION}-{architecture}")
}

/// The holder's image, as `docker load` reads it.
pub(crate) fn image_archive(architecture: &str) -> Result<Vec<u8>, EngineError> {
    let program = match architecture {
        "amd64" | "x86_64" => &X86_64,
        "arm64" | "aarch64" => &AARCH64,
        other => {
            return Err(EngineError::Other(format!(
                "the container engine runs on `{other}`; tasks run on amd64 and arm64 engines only"
            )));
        }
    };
    let elf = program.to_elf();
    let image = Image {
        name: &image_name(architecture),
        architecture,
        config: serde_json::json!({ "Entrypoint": ["/pause"], "User": "65534:65534" }),
        files: &[File { path: "pause", mode: 0o755, content: &elf }],
    };
    Ok(image.to_archive())
}

impl Program {
    fn to_elf(&self) -> Vec<u8> {
        let size = HEADERS + self.code.len() as u64;
        let mut elf = Vec::with_capacity(256);
        elf.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"); // 64 bit, little endian, System V
        push16(&mut elf, &[2, self.machine]); // an executable
        push32(&mut elf, &[1]);
        push64(&mut elf, &[BASE + HEADERS, 64, 0]); // entry, program headers at, no sections
        push32(&mut elf, &[0]);
        push16(&mut elf, &[64, 56, 2, 0, 0, 0]); // header sizes and counts
        push32(&mut elf, &[1, 5]); // load the whole file, readable and executable
        push64(&mut elf, &[0, BASE, BASE, size, size, 0x1_0000]);
        push32(&mut elf, &[0x6474_e551, 6]); // a stack that is not executable
        push64(&mut elf, &[0, 0, 0, 0, 0, 16]);
        elf.extend_from_slice(self.code);
        elf
    }
}

fn push16(to: &mut Vec<u8>, values: &[u16]) {
    to.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn push32(to: &mut Vec<u8>, values: &[u32]) {
    to.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn push64(to: &mut Vec<u8>, values: &[u64]) {
    to.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_follows_the_headers_and_is_the_entry_point() {
        for program in [&X86_64, &AARCH64] {
            let elf = program.to_elf();
            let entry = u64::from_le_bytes(elf[24..32].try_into().expect("eight bytes"));
            let at = usize::try_from(entry - BASE).expect("small");
            assert_eq!(&elf[at..], program.code);
            assert!(elf.len() < 256, "{} bytes", elf.len());
        }
    }

    #[test]
    fn other_architectures_are_refused_by_name() {
        let error = image_archive("riscv64").expect_err("no program for it");
        assert!(error.to_string().contains("`riscv64`"));
    }
}
