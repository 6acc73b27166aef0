//! Whether an executable can run in an empty image: an ELF of the right machine without an interpreter.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::config::image::Platform;

const PT_INTERP: u32 = 3;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;
/// Sizes of the file header and of one program header, 64 bit.
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;

/// Why an executable would not run in an image without a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is not an ELF file of 64 bits, little-endian.
    NotElf,
    /// It is for another CPU; ELF's number for it.
    Machine(u16),
    /// It needs a dynamic linker, named here, and the shared libraries that come with it.
    Dynamic(String),
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotElf => f.write_str("it is not a Linux executable (ELF, 64 bit)"),
            Self::Machine(EM_X86_64) => f.write_str("it is for x86_64"),
            Self::Machine(EM_AARCH64) => f.write_str("it is for aarch64"),
            Self::Machine(number) => write!(f, "it is for another CPU (ELF machine {number})"),
            Self::Dynamic(linker) => {
                write!(
                    f,
                    "it is linked dynamically: it needs `{linker}`, which an image without a base does not have"
                )
            }
        }
    }
}

/// Looks at a file. `check_linker` is off for an image with a base, which may have the dynamic linker.
pub(crate) fn check(path: &Path, platform: Platform, check_linker: bool) -> io::Result<Result<(), Unfit>> {
    let mut file = File::open(path)?;
    let verdict = examine(&mut file, platform)?;
    Ok(match verdict {
        Err(Unfit::Dynamic(_)) if !check_linker => Ok(()),
        other => other,
    })
}

fn examine<F: Read + Seek>(file: &mut F, platform: Platform) -> io::Result<Result<(), Unfit>> {
    let mut header = [0; HEADER];
    if let Err(e) = file.read_exact(&mut header) {
        return if e.kind() == io::ErrorKind::UnexpectedEof { Ok(Err(Unfit::NotElf)) } else { Err(e) };
    }
    // Class 2 is 64 bit, data 1 little-endian.
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(Err(Unfit::NotElf));
    }
    let machine = u16_at(&header, 18);
    if machine != expected(platform) {
        return Ok(Err(Unfit::Machine(machine)));
    }
    let (offset, size, count) = (u64_at(&header, 32), u16_at(&header, 54), u16_at(&header, 56));
    for index in 0..u64::from(count) {
        file.seek(SeekFrom::Start(offset.saturating_add(index * u64::from(size))))?;
        let mut program = [0; PROGRAM_HEADER];
        file.read_exact(&mut program)?;
        if u32_at(&program, 0) == PT_INTERP {
            return interpreter(file, &program).map(|name| Err(Unfit::Dynamic(name)));
        }
    }
    Ok(Ok(()))
}

fn interpreter<F: Read + Seek>(file: &mut F, program: &[u8]) -> io::Result<String> {
    file.seek(SeekFrom::Start(u64_at(program, 8)))?;
    let mut name = Vec::new();
    file.take(u64_at(program, 32).min(4096)).read_to_end(&mut name)?;
    Ok(String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned())
}

const fn expected(platform: Platform) -> u16 {
    match platform {
        Platform::LinuxAmd64 => EM_X86_64,
        Platform::LinuxArm64 => EM_AARCH64,
    }
}

fn bytes<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&from[at..at + N]);
    out
}

fn u16_at(from: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes(from, at))
}

fn u32_at(from: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes(from, at))
}

fn u64_at(from: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes(from, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// An ELF header and one program header of this type, with an interpreter's name after them.
    fn elf(machine: u16, program_type: u32) -> Vec<u8> {
        const NAME: &[u8] = b"/lib64/ld-linux-x86-64.so.2\0";
        let mut file = vec![0; HEADER + PROGRAM_HEADER];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[18..20].copy_from_slice(&machine.to_le_bytes());
        file[32..40].copy_from_slice(&(HEADER as u64).to_le_bytes());
        file[54..56].copy_from_slice(&(PROGRAM_HEADER as u16).to_le_bytes());
        file[56..58].copy_from_slice(&1_u16.to_le_bytes());
        file[HEADER..HEADER + 4].copy_from_slice(&program_type.to_le_bytes());
        let name_at = (HEADER + PROGRAM_HEADER) as u64;
        file[HEADER + 8..HEADER + 16].copy_from_slice(&name_at.to_le_bytes());
        file[HEADER + 32..HEADER + 40].copy_from_slice(&(NAME.len() as u64).to_le_bytes());
        file.extend_from_slice(NAME);
        file
    }

    fn verdict(file: &[u8], platform: Platform) -> Result<(), Unfit> {
        examine(&mut Cursor::new(file), platform).expect("reads")
    }

    #[test]
    fn a_static_executable_of_the_machine_is_fit() {
        assert_eq!(verdict(&elf(EM_X86_64, 1), Platform::LinuxAmd64), Ok(()));
        assert_eq!(verdict(&elf(EM_AARCH64, 1), Platform::LinuxArm64), Ok(()));
    }

    #[test]
    fn an_interpreter_means_dynamic() {
        let unfit = verdict(&elf(EM_X86_64, PT_INTERP), Platform::LinuxAmd64).expect_err("is dynamic");
        insta::assert_snapshot!(unfit, @"it is linked dynamically: it needs `/lib64/ld-linux-x86-64.so.2`, which an image without a base does not have");
    }

    #[test]
    fn another_machine_is_named() {
        let unfit = verdict(&elf(EM_X86_64, 1), Platform::LinuxArm64).expect_err("is another machine");
        insta::assert_snapshot!(unfit, @"it is for x86_64");
    }

    #[test]
    fn other_files_are_not_elf() {
        assert_eq!(verdict(b"#!/bin/sh\n", Platform::LinuxAmd64), Err(Unfit::NotElf));
        assert_eq!(verdict(&[0; 100], Platform::LinuxAmd64), Err(Unfit::NotElf));
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
    #[test]
    fn this_test_itself_is_dynamic() {
        let own = std::env::current_exe().expect("has a path");
        let verdict = check(&own, Platform::LinuxAmd64, true).expect("reads");
        assert!(matches!(verdict, Err(Unfit::Dynamic(_))), "{verdict:?}");
        assert_eq!(check(&own, Platform::LinuxAmd64, false).expect("reads"), Ok(()));
    }
}
