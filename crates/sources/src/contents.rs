//! The files that a landed file holds: itself, unpacked, or those of an archive, or the sheets of a workbook.

use std::collections::BTreeMap;
use std::io::Read;
use std::panic::AssertUnwindSafe;

use crate::sheet;
use crate::unpack::{Archive, Unpacked, unpack};

/// What the sheets of a workbook may come to: a school's marks of a year are a fifth of it.
const SHEETS: u64 = 96 * 1024 * 1024;

/// What a reader says of bytes. One that stumbles over hostile ones has not read them: the file is refused, and no
/// other, since an arrival that stops its reader would be tried again by every later run.
pub(crate) fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).map_err(|_| "bytes that stop their reader".to_owned())
}

/// Who reads each file: its name, below its archive's where it has one, and its text, or why there is none.
type Reader<'a> = dyn FnMut(&str, Result<&mut dyn Read, &str>) + 'a;

/// Gives each file that a file of this name holds to `read`, in order.
pub(crate) fn each_file(limit: u64, name: &str, input: Box<dyn Read + '_>, read: &mut Reader<'_>) {
    let mut left = limit;
    match opened(&mut left, false, input) {
        Ok(Unpacked::Plain(mut stream) | Unpacked::Gzip(mut stream)) => read(name, Ok(&mut stream)),
        Ok(Unpacked::Workbook(book)) => each_sheet(limit, name, &book.bytes, read),
        Ok(Unpacked::Archive(archive)) => each_of_archive(limit, name, &archive, read),
        Ok(Unpacked::Broken(reason)) | Err(reason) => read(name, Err(&reason)),
    }
}

/// Looks into a file; why not, where it cannot be read.
fn opened<'a>(left: &mut u64, is_in_archive: bool, input: Box<dyn Read + 'a>) -> Result<Unpacked<'a>, String> {
    guarded(|| unpack(input, left, is_in_archive))?.map_err(|e| e.to_string())
}

/// Each file in turn, unpacked as it is read. One that cannot be read is refused, and no other with it.
fn each_of_archive(limit: u64, name: &str, archive: &Archive, read: &mut Reader<'_>) {
    let (mut is_empty, mut before, mut left) = (true, BTreeMap::<String, u32>::new(), limit);
    let ended = guarded(|| {
        archive.each(false, |inner, stream| {
            is_empty = false;
            let inner = model::id::without_upns(inner);
            // An archive may hold two files of one name.
            let nth = before.entry(inner.clone()).or_default();
            *nth += 1;
            let name = if *nth == 1 { format!("{name}/{inner}") } else { format!("{name}/{inner} ({nth})") };
            match opened(&mut left, true, Box::new(stream)) {
                Ok(Unpacked::Plain(mut stream)) => read(&name, Ok(&mut stream)),
                Ok(Unpacked::Workbook(book)) => each_sheet(limit, &name, &book.bytes, read),
                // Packed twice, a small file may be of any size.
                Ok(Unpacked::Gzip(_) | Unpacked::Archive(_)) => read(&name, Err("a packed file in an archive")),
                Ok(Unpacked::Broken(reason)) | Err(reason) => read(&name, Err(&reason)),
            }
        })
    });
    match ended.and_then(|ended| ended) {
        Ok(()) if is_empty => read(name, Err("an archive without a file")),
        Ok(()) => {}
        Err(reason) => read(name, Err(&reason)),
    }
}

/// Each sheet as a file; by the workbook's name where there is one.
fn each_sheet(limit: u64, name: &str, bytes: &[u8], read: &mut Reader<'_>) {
    let sheets = match guarded(|| sheet::as_csv(bytes, limit.min(SHEETS))).and_then(|sheets| sheets) {
        Ok(sheets) => sheets,
        Err(reason) => return read(name, Err(&reason)),
    };
    let is_one = sheets.len() == 1;
    for (sheet, csv) in sheets {
        let of_sheet = if is_one { name.to_owned() } else { format!("{name}/{}", model::id::without_upns(&sheet)) };
        read(&of_sheet, Ok(&mut csv.as_slice()));
    }
}
