//! A tree of values that knows which of them came from the environment, and its serde reader, which knows where in
//! the tree it is when something is wrong.

use super::KeyError;
use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One value.
#[derive(Debug)]
pub(super) enum Node {
    /// From the file.
    Leaf(toml::Value),
    /// From the environment: text, whatever type is wanted.
    Variable {
        name: String,
        text: String,
    },
    List(Vec<Node>),
    /// A table, and the variable that made it when the file did not.
    Table(BTreeMap<String, Node>, Option<String>),
}

impl From<toml::Value> for Node {
    fn from(value: toml::Value) -> Self {
        match value {
            toml::Value::Table(table) => {
                Self::Table(table.into_iter().map(|(key, value)| (key, value.into())).collect(), None)
            }
            toml::Value::Array(list) => Self::List(list.into_iter().map(Into::into).collect()),
            leaf => Self::Leaf(leaf),
        }
    }
}

impl Node {
    /// Puts a variable in its place, over whatever is there.
    pub(super) fn set(&mut self, keys: &[String], name: &str, text: String) {
        let Some((first, rest)) = keys.split_first() else {
            *self = Self::Variable { name: name.to_owned(), text };
            return;
        };
        if !matches!(self, Self::Table(..)) {
            *self = Self::Table(BTreeMap::new(), Some(name.to_owned()));
        }
        if let Self::Table(table, _) = self {
            table
                .entry(first.clone())
                .or_insert_with(|| Self::Table(BTreeMap::new(), Some(name.to_owned())))
                .set(rest, name, text);
        }
    }

    fn variable(&self) -> Option<&str> {
        match self {
            Self::Variable { name, .. } | Self::Table(_, Some(name)) => Some(name),
            _ => None,
        }
    }
}

/// Reads one node. Errors get the innermost path.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    node: &'a Node,
    path: Option<&'a Path<'a>>,
}

#[derive(Clone, Copy)]
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    key: &'a str,
}

impl<'a> Reader<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Self { node, path: None }
    }

    fn locate(&self, mut error: KeyError) -> KeyError {
        if error.path.is_empty() {
            let mut keys = Vec::new();
            let mut at = self.path;
            while let Some(path) = at {
                keys.push(path.key);
                at = path.parent;
            }
            keys.reverse();
            error.path = keys.join(".");
        }
        if error.variable.is_none() {
            error.variable = self.node.variable().map(str::to_owned);
        }
        error
    }

    /// The text of a variable as what it looks like most.
    fn guess<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, KeyError> {
        if let Ok(flag) = text.parse::<bool>() {
            visitor.visit_bool(flag)
        } else if let Ok(number) = text.parse::<u64>() {
            visitor.visit_u64(number)
        } else if let Ok(number) = text.parse::<i64>() {
            visitor.visit_i64(number)
        } else {
            visitor.visit_str(text)
        }
    }

    fn list(text: &str) -> Result<Vec<Node>, KeyError> {
        let text = text.trim();
        if text.starts_with('[') && !text.contains("]:") {
            let table: toml::Table =
                format!("list = {text}").parse().map_err(|_| KeyError::custom("not a TOML list"))?;
            if let Some(toml::Value::Array(list)) = table.into_iter().next().map(|(_, value)| value) {
                return Ok(list.into_iter().map(Into::into).collect());
            }
        }
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(items.map(|item| Node::Variable { name: String::new(), text: item.to_owned() }).collect())
    }

    fn visit_list<'de, V: Visitor<'de>>(self, list: &[Node], visitor: V) -> Result<V::Value, KeyError> {
        visitor.visit_seq(Items { list: list.iter().enumerate(), parent: self.path })
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty, $what:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyError> {
            match self.node {
                Node::Variable { text, .. } => {
                    let wrong = |_| KeyError::custom(format_args!("`{text}` is not {}", $what));
                    text.trim().parse::<$type>().map_err(wrong).and_then(|n| visitor.$visit(n)).map_err(|e| self.locate(e))
                }
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> serde::Deserializer<'de> for Reader<'_> {
    type Error = KeyError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyError> {
        let read = match self.node {
            Node::Leaf(toml::Value::String(text)) => visitor.visit_str(text),
            Node::Leaf(toml::Value::Integer(number)) => match u64::try_from(*number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(*number),
            },
            Node::Leaf(toml::Value::Float(number)) => visitor.visit_f64(*number),
            Node::Leaf(toml::Value::Boolean(flag)) => visitor.visit_bool(*flag),
            Node::Leaf(other) => visitor.visit_string(other.to_string()),
            Node::Variable { text, .. } => Self::guess(text, visitor),
            Node::List(list) => self.visit_list(list, visitor),
            Node::Table(table, _) => {
                let mut fields = Fields { table: table.iter(), value: None, parent: self.path };
                visitor.visit_map(&mut fields).map_err(|mut error| {
                    // An unknown key is reported by the key's reader, which has no path of its own.
                    if error.variable.is_none() {
                        error.variable =
                            fields.value.and_then(|(_, node)| node.variable()).map(str::to_owned);
                    }
                    error
                })
            }
        };
        read.map_err(|error| self.locate(error))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyError> {
        match self.node {
            Node::Variable { text, .. } => {
                let wrong = |_| KeyError::custom(format_args!("`{text}` is not true or false"));
                let flag = text.trim().parse::<bool>().map_err(wrong);
                flag.and_then(|flag| visitor.visit_bool(flag)).map_err(|error| self.locate(error))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    numbers! {
        deserialize_u8 visit_u64 u64, "a number";
        deserialize_u16 visit_u64 u64, "a number";
        deserialize_u32 visit_u64 u64, "a number";
        deserialize_u64 visit_u64 u64, "a number";
        deserialize_i8 visit_i64 i64, "a number";
        deserialize_i16 visit_i64 i64, "a number";
        deserialize_i32 visit_i64 i64, "a number";
        deserialize_i64 visit_i64 i64, "a number";
        deserialize_f32 visit_f64 f64, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyError> {
        match self.node {
            Node::Variable { text, .. } => visitor.visit_str(text).map_err(|error| self.locate(error)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, KeyError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyError> {
        match self.node {
            Node::Variable { text, .. } => {
                let read = Self::list(text).and_then(|list| self.visit_list(&list, visitor));
                read.map_err(|mut error| {
                    error.variable = None;
                    self.locate(error)
                })
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, KeyError> {
        let read = match self.node {
            Node::Leaf(toml::Value::String(text)) | Node::Variable { text, .. } => {
                visitor.visit_enum(StrDeserializer::<KeyError>::new(text))
            }
            Node::Table(table, _) if table.len() == 1 => match table.iter().next() {
                Some((key, node)) => visitor.visit_enum(Variant { key, node, parent: self.path }),
                None => Err(KeyError::custom("a table with one key is wanted")),
            },
            _ => self.deserialize_any(visitor),
        };
        read.map_err(|error| self.locate(error))
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a, I> {
    list: I,
    parent: Option<&'a Path<'a>>,
}

impl<'de, 'n, I: Iterator<Item = (usize, &'n Node)>> SeqAccess<'de> for Items<'_, I> {
    type Error = KeyError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, KeyError> {
        let Some((position, node)) = self.list.next() else { return Ok(None) };
        let path = Path { parent: self.parent, key: &position.to_string() };
        seed.deserialize(Reader { node, path: Some(&path) }).map(Some)
    }
}

struct Fields<'a, I> {
    table: I,
    value: Option<(&'a str, &'a Node)>,
    parent: Option<&'a Path<'a>>,
}

impl<'de, 'a, I: Iterator<Item = (&'a String, &'a Node)>> MapAccess<'de> for &mut Fields<'a, I> {
    type Error = KeyError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, KeyError> {
        let Some((key, node)) = self.table.next() else {
            self.value = None;
            return Ok(None);
        };
        self.value = Some((key, node));
        seed.deserialize(StringDeserializer::new(key.clone())).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, KeyError> {
        let (key, node) = self.value.take().ok_or_else(|| KeyError::custom("a value without a key"))?;
        let path = Path { parent: self.parent, key };
        seed.deserialize(Reader { node, path: Some(&path) })
    }
}

struct Variant<'a> {
    key: &'a str,
    node: &'a Node,
    parent: Option<&'a Path<'a>>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = KeyError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), KeyError> {
        let name: Cow<'_, str> = Cow::Borrowed(self.key);
        let value = seed.deserialize(StringDeserializer::<KeyError>::new(name.into_owned()))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = KeyError;

    fn unit_variant(self) -> Result<(), KeyError> {
        Err(KeyError::custom(format_args!("`{}` takes no table", self.key)))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, KeyError> {
        let path = Path { parent: self.parent, key: self.key };
        seed.deserialize(Reader { node: self.node, path: Some(&path) })
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, KeyError> {
        let path = Path { parent: self.parent, key: self.key };
        serde::Deserializer::deserialize_seq(Reader { node: self.node, path: Some(&path) }, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, KeyError> {
        let path = Path { parent: self.parent, key: self.key };
        serde::Deserializer::deserialize_any(Reader { node: self.node, path: Some(&path) }, visitor)
    }
}
