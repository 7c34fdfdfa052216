//! Lines of bounded length, one at a time.

use std::io::{self, BufRead, Read};

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Nothing more.
    End,
    /// A whole line; the last one may lack its line feed.
    Whole,
    /// A line longer than allowed. It was stepped over without being held in memory.
    TooLong,
}

/// Reads a line of at most `bytes_max` bytes into `line`, without its line feed.
pub fn read_line(mut from: &mut dyn BufRead, bytes_max: usize, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let read = (&mut from).take(bytes_max as u64 + 1).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(Line::End);
    }
    if line.ends_with(b"\n") {
        line.pop();
        return Ok(Line::Whole);
    }
    if line.len() > bytes_max {
        skip_rest(from)?;
        return Ok(Line::TooLong);
    }
    Ok(Line::Whole)
}

fn skip_rest(from: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let (used, done) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        from.consume(used);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_be_as_long_as_allowed_and_a_longer_one_is_stepped_over() {
        let text = b"1234\n12345\n123456789\n\n12";
        let mut from = io::BufReader::with_capacity(3, &text[..]);
        let mut line = Vec::new();
        let mut read = Vec::new();
        loop {
            let kind = read_line(&mut from, 4, &mut line).unwrap();
            if kind == Line::End {
                break;
            }
            read.push((kind, if kind == Line::Whole { line.clone() } else { Vec::new() }));
        }
        let whole = |text: &[u8]| (Line::Whole, text.to_vec());
        let long = (Line::TooLong, Vec::new());
        assert_eq!(read, [whole(b"1234"), long.clone(), long, whole(b""), whole(b"12")]);
    }
}
