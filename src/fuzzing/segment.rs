//! The spool's reader: segments of a generated content, with generated damage.

use crate::wire::segment::read::{Entry, Segment};
use crate::wire::segment::write::Writer;
use crate::wire::segment::{label, DATA_AT};

const RESOURCE: &[u8] = b"resource";
const DATA: usize = 2000;

/// Writes a segment as `input` says, damages it as `input` says, and reads it: nothing may be there that was
/// not written, and everything without damage. Also reads `input` as it is.
pub fn segment(input: &[u8]) {
    read(input);
    let mut input = input.iter().copied();
    let mut next = move || input.next();
    let mut file = label(0, RESOURCE, DATA);
    let label_len = file.len();
    file.resize(label_len + DATA_AT + DATA, 0);
    let mut writer = Writer::default();
    let (mut written, mut uses) = (Vec::new(), 1);
    writer.begin(&mut file[label_len..], uses);
    let count = next().unwrap_or_default();
    let mut last = None;
    for _ in 0..count % 40 {
        let mapped = &mut file[label_len..];
        match next().unwrap_or_default() {
            0 => {
                // Used again.
                uses += 1;
                writer.clear(mapped);
                writer.begin(mapped, uses);
                written.clear();
                last = None;
            }
            kind => {
                let (job, scope) = (u64::from(kind % 3), vec![b's'; usize::from(kind % 5)]);
                let record: Vec<u8> = (0..kind).map(|_| next().unwrap_or_default()).collect();
                if !writer.fits(DATA, record.len(), scope.len()) {
                    break;
                }
                if last.as_ref() != Some(&(job, scope.clone())) {
                    writer.begin_run(mapped, job, &scope);
                    last = Some((job, scope));
                }
                writer.push(mapped, &record[..record.len() / 2], &record[record.len() / 2..]);
                written.push(record);
            }
        }
    }
    let whole = read(&file).expect("it has a label");
    assert_eq!(whole, (written.clone(), 0));

    // Of three bytes, an earlier use can be made.
    for _ in 0..next().unwrap_or_default() % 3 {
        let at = usize::from(next().unwrap_or_default()) << 8 | usize::from(next().unwrap_or_default());
        let value = next().unwrap_or_default();
        if let Some(byte) = file.get_mut(at) {
            *byte ^= value;
        }
    }
    if let Some(cut) = next() {
        file.truncate(file.len() - usize::from(cut) * 8 % file.len());
    }
    if let Some((records, _)) = read(&file) {
        assert!(records.iter().all(|record| written.contains(record)), "a record that was not written");
    }
}

/// The records, and how many entries are damaged. `None`: it is no segment.
fn read(file: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let segment = Segment::read(file).ok()?;
    let (mut records, mut damaged) = (Vec::new(), 0);
    for entry in segment.entries() {
        match entry {
            Entry::Record { framed, .. } => records.push(framed.to_vec()),
            Entry::Damaged { .. } => damaged += 1,
            Entry::Run { .. } => {}
        }
    }
    Some((records, damaged))
}
