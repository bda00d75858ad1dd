// Binds an options struct: keyword constructor with a real signature, read-only fields, as_dict and
// from_dict, pickling, repr, equality, hash and replace.
//
// The struct lists its fields once, with what each means:
//
//   struct XOptions {
//     int size = 4;
//     void validate() const;  // throws std::invalid_argument
//     bool operator==(const XOptions&) const = default;
//     template <class Options, class Visit>
//     static void fields(Options&& o, Visit&& visit) { visit("size", o.size, "samples in a frame");
//     }
//   };
//
// A field is int, double, bool, an enum for which `enum_names(E)` gives the names in
// order, or another options struct that was bound before.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <string>
#include <string_view>
#include <type_traits>

namespace edge_ser::bindings {

namespace py = pybind11;

template <class T>
concept NestedOptions = std::is_class_v<T>;

/// The type's name in Python, once it is bound.
template <class Options>
inline std::string options_name;

template <class Options>
py::dict options_to_dict(const Options& options);
template <class Options>
Options options_with(Options options, const py::dict& dict);

/// A field for as_dict: numbers, booleans, names and dictionaries only.
template <class T>
py::object field_to_python(const T& value) {
  if constexpr (NestedOptions<T>) {
    return options_to_dict(value);
  } else if constexpr (std::is_enum_v<T>) {
    return py::str(std::string(enum_names(T{})[static_cast<std::size_t>(value)]));
  } else {
    return py::cast(value);
  }
}

template <class T>
std::string field_type() {
  if constexpr (NestedOptions<T>) {
    return options_name<T>;
  } else if constexpr (std::is_enum_v<T>) {
    std::string text = "typing.Literal[";
    std::string_view separator = "";
    for (const std::string_view name : enum_names(T{})) {
      text.append(separator).append("'").append(name).append("'");
      separator = ", ";
    }
    return text + "]";
  } else if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else {
    return std::is_floating_point_v<T> ? "float" : "int";
  }
}

template <class T>
void field_from_python(const std::string& where, const py::handle& value, T& field) {
  const auto refuse = [&](const std::string& wanted) {
    throw py::type_error(where + " must be " + wanted + ", not " + std::string(py::repr(value)));
  };
  if constexpr (NestedOptions<T>) {
    if (py::isinstance<T>(value)) {
      field = py::cast<const T&>(value);
    } else if (py::isinstance<py::dict>(value)) {
      field = options_with(T{}, py::cast<py::dict>(value));
    } else {
      refuse("a " + options_name<T> + " or its dictionary");
    }
  } else if constexpr (std::is_enum_v<T>) {
    if (!py::isinstance<py::str>(value)) refuse("one of the names in its documentation");
    const std::string text = py::cast<std::string>(value);
    const auto& names = enum_names(T{});
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == text) {
        field = static_cast<T>(i);
        return;
      }
    }
    std::string known;
    for (const std::string_view name : names) known.append(known.empty() ? "" : ", ").append(name);
    throw py::value_error(where + " is '" + text + "'; it must be one of: " + known);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!PyBool_Check(value.ptr())) refuse("True or False");
    field = value.ptr() == Py_True;
  } else if constexpr (std::is_integral_v<T>) {
    if (PyBool_Check(value.ptr()) || !PyIndex_Check(value.ptr())) refuse("an integer");
    try {
      field = py::cast<T>(value);
    } catch (const py::cast_error&) {
      throw py::value_error(where + " is out of range: " + std::string(py::repr(value)));
    }
  } else {
    const bool number = PyFloat_Check(value.ptr()) || PyIndex_Check(value.ptr());
    if (PyBool_Check(value.ptr()) || !number) refuse("a number");
    field = static_cast<T>(PyFloat_AsDouble(value.ptr()));
    if (PyErr_Occurred()) throw py::error_already_set();
  }
}

template <class Options>
py::dict options_to_dict(const Options& options) {
  py::dict dict;
  Options::fields(options, [&](const char* name, const auto& field, const char*) {
    dict[name] = field_to_python(field);
  });
  return dict;
}

/// `options` with the fields that `dict` names set; a name it does not know is a TypeError.
template <class Options>
Options options_with(Options options, const py::dict& dict) {
  const std::string type_name = options_name<Options>;
  std::size_t used = 0;
  Options::fields(options, [&](const char* name, auto& field, const char*) {
    if (!dict.contains(name)) return;
    field_from_python(type_name + "." + name, dict[name], field);
    ++used;
  });
  if (used != dict.size()) {
    for (const auto& [key, value] : dict) {
      bool known = false;
      Options::fields(options, [&](const char* name, auto&, const char*) {
        known = known || (py::isinstance<py::str>(key) && py::cast<std::string>(key) == name);
      });
      if (!known) {
        throw py::type_error(type_name + " has no field " + std::string(py::repr(key)));
      }
    }
  }
  options.validate();
  return options;
}

template <class Options>
std::string options_repr(const Options& options);

template <class T>
std::string field_repr(const T& field) {
  if constexpr (NestedOptions<T>) {
    return options_repr(field);
  } else {
    return py::repr(field_to_python(field));
  }
}

template <class Options>
std::string options_repr(const Options& options) {
  std::string text;
  Options::fields(options, [&](const char* name, const auto& field, const char*) {
    text.append(text.empty() ? "" : ", ").append(name).append("=").append(field_repr(field));
  });
  return options_name<Options> + "(" + text + ")";
}

/// The keyword parameters of the constructor, as Python would write them.
template <class Options>
std::string options_parameters(const Options& defaults, bool unset) {
  std::string text;
  Options::fields(defaults, [&](const char* name, const auto& field, const char*) {
    using Field = std::remove_cvref_t<decltype(field)>;
    text.append(", ").append(name).append(": ").append(field_type<Field>()).append(" = ");
    text.append(unset || NestedOptions<Field> ? "..." : field_repr(field));
  });
  return text;
}

/// A read-only property whose type the stubs know.
template <class Class, class Getter>
void bind_property(Class& type, const char* name, Getter getter, const std::string& returns,
                   const std::string& doc) {
  py::options signatures;
  signatures.disable_function_signatures();
  type.def_property_readonly(name, py::cpp_function(getter, ("(self) -> " + returns).c_str()),
                             doc.c_str());
}

template <class Options>
py::class_<Options> bind_options(py::module_& m, const char* type_name, const std::string& doc) {
  const std::string name = type_name;
  options_name<Options> = name;
  py::options signatures;
  signatures.disable_function_signatures();

  std::string full_doc = doc + "\n\nImmutable; a value that makes no sense is a ValueError.\n";
  Options::fields(Options{}, [&](const char* field_name, const auto& field, const char* meaning) {
    full_doc.append("\n* ``").append(field_name).append("`` = ");
    full_doc.append(NestedOptions<std::remove_cvref_t<decltype(field)>> ? "..."
                                                                        : field_repr(field));
    full_doc.append(": ").append(meaning);
  });
  py::class_<Options> type(m, type_name, full_doc.c_str());

  const std::string parameters = options_parameters(Options{}, false);
  type.def(py::init([](const py::kwargs& fields) { return options_with(Options{}, fields); }),
           ("__init__(self, *" + parameters + ") -> None").c_str());
  Options::fields(Options{}, [&](const char* field_name, const auto& field, const char* meaning) {
    using Field = std::remove_cvref_t<decltype(field)>;
    const std::string key = field_name;
    bind_property(
        type, field_name,
        [key](const Options& self) {
          py::object value;
          Options::fields(self, [&](const char* known, const auto& member, const char*) {
            if (key != known) return;
            if constexpr (NestedOptions<std::remove_cvref_t<decltype(member)>>) {
              value = py::cast(member);
            } else {
              value = field_to_python(member);
            }
          });
          return value;
        },
        field_type<Field>(), meaning);
  });
  type.def("as_dict", &options_to_dict<Options>,
           "as_dict(self) -> dict[str, typing.Any]\n\nEvery field, ready for JSON.");
  type.def_static(
      "from_dict", [](const py::dict& fields) { return options_with(Options{}, fields); },
      py::arg("fields"),
      ("from_dict(fields: collections.abc.Mapping[str, typing.Any]) -> " + name +
       "\n\nThe inverse of `as_dict`; fields left out keep their defaults, an unknown one is a "
       "TypeError.")
          .c_str());
  type.def(
      "replace",
      [](const Options& self, const py::kwargs& fields) { return options_with(self, fields); },
      ("replace(self, *" + options_parameters(Options{}, true) + ") -> " + name +
       "\n\nA copy with some fields changed.")
          .c_str());
  type.def(
      "__eq__",
      [](const Options& self, const py::object& other) {
        return py::isinstance<Options>(other) && self == py::cast<const Options&>(other);
      },
      py::arg("other"), "__eq__(self, other: object) -> bool");
  type.def(
      "__hash__", [](const Options& self) { return py::hash(py::str(options_repr(self))); },
      "__hash__(self) -> int");
  type.def("__repr__", &options_repr<Options>, "__repr__(self) -> str");
  // A pickle holds the fields and is validated like any input.
  signatures.enable_function_signatures();
  type.def(py::pickle(&options_to_dict<Options>,
                      [](const py::dict& fields) { return options_with(Options{}, fields); }));
  return type;
}

template <class Options>
void bind_preset(py::class_<Options>& type, const char* preset, Options (*make)(),
                 const std::string& doc) {
  py::options signatures;
  signatures.disable_function_signatures();
  type.def_static(
      preset, [make](const py::kwargs& fields) { return options_with(make(), fields); },
      (std::string(preset) + "(*" + options_parameters(Options{}, true) + ") -> " +
       options_name<Options> + "\n\n" + doc + " Keywords change single fields.")
          .c_str());
}

}  // namespace edge_ser::bindings
