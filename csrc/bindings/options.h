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
//     static void fields(Options& o, Visit&& visit) { visit("size", o.size, "samples in a frame"); }
//   };
//
// A field is int, double, bool or an enum for which `enum_names(E)` gives the names in order.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <string>
#include <string_view>
#include <type_traits>

namespace edge_ser::bindings {

namespace py = pybind11;

template <class T>
py::object field_to_python(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return py::str(std::string(enum_names(T{})[static_cast<std::size_t>(value)]));
  } else {
    return py::cast(value);
  }
}

template <class T>
std::string field_type() {
  if constexpr (std::is_enum_v<T>) {
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
  if constexpr (std::is_enum_v<T>) {
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
Options options_with(Options options, const py::dict& dict, const std::string& type_name) {
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

/// The keyword parameters of the constructor, as Python would write them.
template <class Options>
std::string options_parameters(const Options& defaults, bool unset) {
  std::string text;
  Options::fields(defaults, [&](const char* name, const auto& field, const char*) {
    using Field = std::remove_cvref_t<decltype(field)>;
    text.append(", ").append(name).append(": ").append(field_type<Field>()).append(" = ");
    text.append(unset ? "..." : std::string(py::repr(field_to_python(field))));
  });
  return text;
}

template <class Options>
py::class_<Options> bind_options(py::module_& m, const char* type_name, const std::string& doc) {
  const std::string name = type_name;
  py::options signatures;
  signatures.disable_function_signatures();

  std::string full_doc = doc + "\n\nImmutable; a value that makes no sense is a ValueError.\n";
  Options::fields(Options{}, [&](const char* field_name, const auto& field, const char* meaning) {
    full_doc.append("\n* ``").append(field_name).append("`` = ");
    full_doc.append(std::string(py::repr(field_to_python(field)))).append(": ").append(meaning);
  });
  py::class_<Options> type(m, type_name, full_doc.c_str());

  const std::string parameters = options_parameters(Options{}, false);
  type.def(py::init([name](const py::kwargs& fields) {
             return options_with(Options{}, fields, name);
           }),
           ("__init__(self, *" + parameters + ") -> None").c_str());
  Options::fields(Options{}, [&](const char* field_name, const auto& field, const char* meaning) {
    using Field = std::remove_cvref_t<decltype(field)>;
    const std::string key = field_name;
    type.def_property_readonly(
        field_name,
        [key](const Options& self) { return options_to_dict(self)[key.c_str()]; },
        (std::string(field_name) + "(self) -> " + field_type<Field>() + "\n\n" + meaning).c_str());
  });
  type.def("as_dict", &options_to_dict<Options>,
           "as_dict(self) -> dict[str, typing.Any]\n\nEvery field, ready for JSON.");
  type.def_static(
      "from_dict",
      [name](const py::dict& fields) { return options_with(Options{}, fields, name); },
      py::arg("fields"),
      ("from_dict(fields: collections.abc.Mapping[str, typing.Any]) -> " + name +
       "\n\nThe inverse of `as_dict`; fields left out keep their defaults, an unknown one is a "
       "TypeError.")
          .c_str());
  type.def(
      "replace",
      [name](const Options& self, const py::kwargs& fields) {
        return options_with(self, fields, name);
      },
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
      "__hash__",
      [](const Options& self) {
        return py::hash(py::tuple(options_to_dict(self).attr("values")()));
      },
      "__hash__(self) -> int");
  type.def(
      "__repr__",
      [name](const Options& self) {
        std::string text;
        Options::fields(self, [&](const char* field_name, const auto& field, const char*) {
          text.append(text.empty() ? "" : ", ").append(field_name).append("=");
          text.append(std::string(py::repr(field_to_python(field))));
        });
        return name + "(" + text + ")";
      },
      "__repr__(self) -> str");
  // Pickling rebuilds through from_dict, so that a damaged pickle is validated like any input.
  type.def(
      "__reduce__",
      [](const py::object& self) {
        return py::make_tuple(py::type::of(self).attr("from_dict"),
                              py::make_tuple(self.attr("as_dict")()));
      },
      "__reduce__(self) -> tuple[typing.Any, ...]");
  return type;
}

}  // namespace edge_ser::bindings
