//! Pictures: their size, and thumbnails of them. Everything here works on bytes of strangers, so size and memory are bounded, and it
//! runs on threads of its own.

use std::io::Cursor;
use std::sync::LazyLock;

use bytes::Bytes;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use tokio::sync::Semaphore;

/// The most pixels of a picture that is decoded.
const MAX_PIXELS: u64 = 64_000_000;
/// The most memory that decoding one takes, in bytes.
const MAX_DECODING_BYTES: u64 = 256 << 20;
/// The longest side of a thumbnail, in pixels.
pub const THUMBNAIL_SIDE: u32 = 640;
/// The largest file of which a thumbnail is made, in bytes.
pub const MAX_FILE_BYTES: u64 = 40 << 20;
/// So many pictures are decoded at once, which bounds the memory of all together.
const AT_ONCE: usize = 2;

static DECODING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(AT_ONCE));

/// Whether pictures of that type are shown, and thumbnails made of them.
pub fn is_shown(media_type: &str) -> bool {
    format(media_type).is_some()
}

/// Whether there is a thumbnail of a file of that type and size.
pub fn has_thumbnail(media_type: &str, size: u64) -> bool {
    is_shown(media_type) && size <= MAX_FILE_BYTES
}

fn format(media_type: &str) -> Option<ImageFormat> {
    match media_type {
        "image/jpeg" => Some(ImageFormat::Jpeg),
        "image/png" => Some(ImageFormat::Png),
        "image/gif" => Some(ImageFormat::Gif),
        "image/webp" => Some(ImageFormat::WebP),
        _ => None,
    }
}

/// The width and height of a picture as people see it, by its first bytes; `None` where they do not tell.
pub async fn size(head: Bytes) -> Option<(u32, u32)> {
    tokio::task::spawn_blocking(move || {
        let reader = ImageReader::new(Cursor::new(head))
            .with_guessed_format()
            .ok()?;
        let mut decoder = reader.into_decoder().ok()?;
        let (width, height) = decoder.dimensions();
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let is_turned = matches!(
            orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        );
        let (width, height) = if is_turned {
            (height, width)
        } else {
            (width, height)
        };
        (width > 0 && height > 0).then_some((width, height))
    })
    .await
    .ok()
    .flatten()
}

/// Why there is no thumbnail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotShown;

/// A thumbnail: upright, without what the camera noted, as JPEG or, where it is transparent, PNG.
///
/// # Errors
///
/// [`NotShown`] where the picture cannot be decoded within the bounds.
pub async fn thumbnail(file: Bytes) -> Result<Bytes, NotShown> {
    let _turn = DECODING.acquire().await.map_err(|_| NotShown)?;
    tokio::task::spawn_blocking(move || make_thumbnail(&file))
        .await
        .map_err(|_| NotShown)?
}

fn make_thumbnail(file: &[u8]) -> Result<Bytes, NotShown> {
    let picture = decode(file).ok_or(NotShown)?;
    let small = if picture.width().max(picture.height()) > THUMBNAIL_SIDE {
        picture.thumbnail(THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    } else {
        picture
    };
    let mut bytes = Cursor::new(vec![]);
    let written = if small.color().has_alpha() {
        DynamicImage::from(small.into_rgba8()).write_to(&mut bytes, ImageFormat::Png)
    } else {
        DynamicImage::from(small.into_rgb8()).write_to(&mut bytes, ImageFormat::Jpeg)
    };
    written.map_err(|_| NotShown)?;
    Ok(bytes.into_inner().into())
}

fn decode(file: &[u8]) -> Option<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .ok()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODING_BYTES);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return None;
    }
    // The picture itself counts too.
    limits.reserve(decoder.total_bytes()).ok()?;
    decoder.set_limits(limits).ok()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).ok()?;
    picture.apply_orientation(orientation);
    Some(picture)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn png(picture: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(vec![]);
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// A JPEG whose left half is red, with a note by the camera that it has to be turned right by 90 degrees.
    fn turned_jpeg() -> Vec<u8> {
        let picture = RgbImage::from_fn(80, 40, |x, _| {
            if x < 40 {
                Rgb([250, 0, 0])
            } else {
                Rgb([0, 0, 250])
            }
        });
        let mut bytes = Cursor::new(vec![]);
        picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        let jpeg = bytes.into_inner();
        let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let mut whole = jpeg[..2].to_vec();
        whole.extend([0xff, 0xe1]);
        let length = u16::try_from(exif.len() + 2).unwrap();
        whole.extend(length.to_be_bytes());
        whole.extend(exif);
        whole.extend(&jpeg[2..]);
        whole
    }

    #[tokio::test]
    async fn a_photo_is_turned_as_the_camera_noted_and_loses_the_note() {
        let photo = Bytes::from(turned_jpeg());
        assert_eq!(size(photo.clone()).await, Some((40, 80)));
        let small = thumbnail(photo).await.unwrap();
        assert!(!small.windows(4).any(|bytes| bytes == b"Exif"));
        let small = image::load_from_memory(&small).unwrap().into_rgb8();
        assert_eq!(small.dimensions(), (40, 80));
        // What was on the left is at the top.
        assert!(
            small.get_pixel(20, 5).0[0] > 200,
            "{:?}",
            small.get_pixel(20, 5)
        );
        assert!(small.get_pixel(20, 75).0[2] > 200);
    }

    #[tokio::test]
    async fn a_large_picture_becomes_small_and_keeps_its_form_and_transparency() {
        let picture = RgbaImage::from_pixel(2_000, 1_000, Rgba([1, 2, 3, 0]));
        let small = thumbnail(png(&picture.into()).into()).await.unwrap();
        let small = image::load_from_memory(&small).unwrap();
        assert_eq!((small.width(), small.height()), (THUMBNAIL_SIDE, 320));
        assert_eq!(small.into_rgba8().get_pixel(3, 3).0[3], 0);
    }

    #[tokio::test]
    async fn a_picture_of_too_many_pixels_is_not_decoded() {
        // A PNG that says it is 60,000 pixels wide and high.
        let mut bomb = png(&RgbImage::new(1, 1).into());
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let mut crc = u32::MAX;
        for byte in &bomb[12..29] {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
            }
        }
        bomb[29..33].copy_from_slice(&(!crc).to_be_bytes());
        assert_eq!(size(bomb.clone().into()).await, Some((60_000, 60_000)));
        assert_eq!(thumbnail(bomb.into()).await, Err(NotShown));
        assert_eq!(
            thumbnail(Bytes::from_static(b"GIF89a")).await,
            Err(NotShown)
        );
    }
}
