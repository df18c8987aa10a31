//! The links of an HTML page.

use url::Url;

/// Most links that are taken from one page.
const MAX_LINKS: usize = 200;

/// Path and query of every same-origin link of a page, in order, each once.
///
/// Reads `href` and `src` in tags; comments are skipped. `page` is the page's
/// own path and query, against which relative links are meant.
pub fn same_origin(html: &str, page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for link in attributes(html) {
        if let Some(target) = resolve(page, &link)
            && !found.contains(&target)
        {
            found.push(target);
            if found.len() == MAX_LINKS {
                break;
            }
        }
    }
    found
}

/// Where `link` leads, seen from `page`: path and query, if it stays on the
/// same host. Used for `Location` too. `host` names that count as the same are
/// those under which whit asks: `localhost` and the loopback address.
pub fn resolve(page: &str, link: &str) -> Option<String> {
    // The port does not matter: a service that names its own port and one
    // that leaves it out mean the same place.
    let base = Url::parse("http://localhost").ok()?.join(page).ok()?;
    let target = base.join(link.trim()).ok()?;
    let here = matches!(target.host_str(), Some("localhost" | "127.0.0.1"));
    if target.scheme() != "http" || !here {
        return None;
    }
    Some(match target.query() {
        Some(query) => format!("{}?{query}", target.path()),
        None => target.path().to_owned(),
    })
}

/// Values of `href` and `src`, entities decoded.
fn attributes(html: &str) -> impl Iterator<Item = String> {
    let mut rest = html;
    let mut tag = "";
    std::iter::from_fn(move || {
        loop {
            while let Some((name, value, after)) = next_attribute(tag) {
                tag = after;
                if name.eq_ignore_ascii_case("href") || name.eq_ignore_ascii_case("src") {
                    return Some(decode(value));
                }
            }
            rest = &rest[rest.find('<')?..];
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = &comment[comment.find("-->")? + 3..];
                continue;
            }
            // A `>` inside a quoted value does not end the tag.
            let end = tag_end(rest)?;
            tag = &rest[1..end];
            rest = &rest[end..];
            tag = match tag.find(|c: char| c.is_ascii_whitespace()) {
                Some(cut) if tag.starts_with(|c: char| c.is_ascii_alphabetic()) => &tag[cut..],
                _ => "",
            };
        }
    })
}

fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Name, value and what follows. Attributes without a value have an empty one.
fn next_attribute(tag: &str) -> Option<(&str, &str, &str)> {
    let tag = tag.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
    if tag.is_empty() {
        return None;
    }
    let end = tag
        .find(|c: char| c.is_ascii_whitespace() || c == '=' || c == '/')
        .unwrap_or(tag.len());
    // A stray `=` is a name of its own, so that reading always goes on.
    let end = end.max(tag.chars().next().map_or(1, char::len_utf8));
    let (name, rest) = tag.split_at(end);
    let Some(value) = rest.trim_start().strip_prefix('=') else {
        return Some((name, "", rest));
    };
    let value = value.trim_start();
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let value = &value[1..];
            let end = value.find(quote)?;
            Some((name, &value[..end], &value[end + 1..]))
        }
        _ => {
            let end = value
                .find(|c: char| c.is_ascii_whitespace())
                .unwrap_or(value.len());
            Some((name, &value[..end], &value[end..]))
        }
    }
}

/// The entities that stand in real links.
fn decode(value: &str) -> String {
    value
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x2F;", "/")
        .replace("&#47;", "/")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_a_page() {
        let html = r##"<!doctype html><!-- <a href="/no"> --><head>
            <link rel="stylesheet" href='/static/a.css'><script src=/static/a.js defer></script>
            <base target=_top></head>
            <a title="a > b" href="about?x=1&amp;y=2">About</a> <A HREF="../up">up</A>
            <a href="/static/a.css">again</a> <a href="#top">top</a>
            <a href="https://example.org/">away</a> <a href="//cdn.example.org/x.js">away</a>
            <a href="mailto:a@b.c">mail</a> <a href="javascript:void(0)">js</a>
            <a href="http://localhost:8000/abs">abs</a> <img src="data:image/png;base64,AA">
            <p data-href="/not-a-link">if (a < b) href="/text"</p> <a href = "/spaced" >x</a>"##;
        assert_eq!(
            same_origin(html, "/dir/page"),
            [
                "/static/a.css",
                "/static/a.js",
                "/dir/about?x=1&y=2",
                "/up",
                "/dir/page",
                "/abs",
                "/spaced",
            ]
        );
    }

    #[test]
    fn broken_pages_end() {
        for html in [
            "<",
            "<a",
            "<a href",
            "<a href=",
            "<a href=\"",
            "<!--",
            "<a ==/=>",
            "<a href='x\">",
        ] {
            assert!(same_origin(html, "/").is_empty(), "{html}");
        }
        let many: String = (0..5000).map(|i| format!("<a href=/{i}>")).collect();
        assert_eq!(same_origin(&many, "/").len(), MAX_LINKS);
    }

    #[test]
    fn locations() {
        assert_eq!(
            resolve("/a/b", "/login?next=%2F").unwrap(),
            "/login?next=%2F"
        );
        assert_eq!(resolve("/a/b", "c").unwrap(), "/a/c");
        assert_eq!(resolve("/a", "https://localhost/x"), None);
        assert_eq!(resolve("/a", "http://elsewhere/x"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_page_makes_the_reader_panic(html in "[<>a-c=\"'/ !-é]{0,80}") {
            let _ = same_origin(&html, "/");
        }
    }
}
