using System;
using System.Text;

namespace TokenMocap
{
    /// <summary>Text that is not JSON (RFC 8259), or not the kind of value that was asked for.</summary>
    public sealed class JsonException : FormatException
    {
        public JsonException(string message, int position) : base(message + " at character " + position) { }
    }

    /// <summary>
    /// Reads JSON from front to back, on demand: no tree is built, so that sixty frames a second leave little garbage.
    /// </summary>
    /// <example><code>
    /// reader.BeginObject();
    /// while (reader.NextKey(out string key))
    ///     if (key == "fps") fps = reader.Number(); else reader.Skip();
    /// </code></example>
    public sealed class JsonReader
    {
        private const int DeepestNesting = 64;
        private const int MantissaDigits = 18; // what fits a ulong whatever the digits are
        private static readonly double[] PowersOfTen = MakePowersOfTen();

        private readonly string _text;
        private readonly bool[] _isFirst = new bool[DeepestNesting];
        private readonly StringBuilder _string = new StringBuilder();
        private int _at;
        private int _depth;

        public JsonReader(string text, int start = 0)
        {
            _text = text;
            _at = start;
        }

        public void BeginObject() => Begin('{', "an object");

        public void BeginArray() => Begin('[', "an array");

        /// <summary>Whether the object goes on; then its next value can be read, or skipped.</summary>
        public bool NextKey(out string key)
        {
            key = null;
            if (!Next('}')) return false;
            key = String();
            if (Peek() != ':') throw Error("expected ':'");
            _at++;
            return true;
        }

        /// <summary>Whether the array goes on; then its next value can be read, or skipped.</summary>
        public bool NextItem() => Next(']');

        public double Number()
        {
            Peek();
            bool negative = Accept('-');
            ulong mantissa = 0;
            int digits = 0, exponent = 0, first = _at;
            while (IsDigit()) Add(ref mantissa, ref digits, ref exponent, false);
            if (_at == first) throw Error("expected a number");
            if (_text[first] == '0' && _at > first + 1) throw Error("a number begins with 0");
            if (Accept('.'))
            {
                first = _at;
                while (IsDigit()) Add(ref mantissa, ref digits, ref exponent, true);
                if (_at == first) throw Error("expected a digit");
            }
            if (Accept('e') || Accept('E')) exponent += Exponent();
            double value = Scaled(mantissa, exponent);
            return negative ? -value : value;
        }

        public string String()
        {
            if (Peek() != '"') throw Error("expected a string");
            int first = ++_at;
            _string.Clear();
            while (true)
            {
                char c = Take("a string that does not end");
                if (c == '"') break;
                if (c < ' ') throw Error("a control character in a string");
                if (c != '\\') continue;
                _string.Append(_text, first, _at - 1 - first).Append(Escaped());
                first = _at;
            }
            return _string.Append(_text, first, _at - 1 - first).ToString();
        }

        public bool Boolean()
        {
            if (AcceptWord("true")) return true;
            if (AcceptWord("false")) return false;
            throw Error("expected true or false");
        }

        /// <summary>Passes over one value of any kind.</summary>
        public void Skip()
        {
            switch (Peek())
            {
                case '{':
                    BeginObject();
                    while (NextKey(out _)) Skip();
                    break;
                case '[':
                    BeginArray();
                    while (NextItem()) Skip();
                    break;
                case '"':
                    String();
                    break;
                default:
                    if (!AcceptWord("null") && !AcceptWord("true") && !AcceptWord("false")) Number();
                    break;
            }
        }

        /// <summary>Throws unless nothing but white space is left.</summary>
        public void End()
        {
            if (Peek() != '\0' || _at < _text.Length) throw Error("something after the end");
        }

        private void Begin(char bracket, string what)
        {
            if (Peek() != bracket) throw Error("expected " + what);
            if (_depth == DeepestNesting) throw Error("nested too deeply");
            _at++;
            _isFirst[_depth++] = true;
        }

        private bool Next(char bracket)
        {
            bool isFirst = _isFirst[_depth - 1];
            _isFirst[_depth - 1] = false;
            if (Peek() == bracket)
            {
                _at++;
                _depth--;
                return false;
            }
            if (isFirst) return true;
            if (Peek() != ',') throw Error("expected ',' or '" + bracket + "'");
            _at++;
            return true;
        }

        private void Add(ref ulong mantissa, ref int digits, ref int exponent, bool isFraction)
        {
            int digit = _text[_at++] - '0';
            if (digits == MantissaDigits)
            {
                if (!isFraction) exponent++;
                return;
            }
            mantissa = mantissa * 10 + (ulong)digit;
            if (mantissa != 0) digits++;
            if (isFraction) exponent--;
        }

        private int Exponent()
        {
            bool negative = Accept('-');
            if (!negative) Accept('+');
            int first = _at, exponent = 0;
            for (; IsDigit(); _at++) exponent = Math.Min(exponent * 10 + _text[_at] - '0', 99999);
            if (_at == first) throw Error("expected a digit");
            return negative ? -exponent : exponent;
        }

        private static double Scaled(ulong mantissa, int exponent)
        {
            if (mantissa == 0) return 0;
            if (exponent > 308) return double.PositiveInfinity;
            if (exponent >= 0) return mantissa * PowersOfTen[exponent];
            if (exponent >= -308) return mantissa / PowersOfTen[-exponent];
            return exponent >= -340 ? mantissa / PowersOfTen[308] / PowersOfTen[-308 - exponent] : 0;
        }

        private char Escaped()
        {
            char c = Take("a string that does not end");
            switch (c)
            {
                case '"': case '\\': case '/': return c;
                case 'b': return '\b';
                case 'f': return '\f';
                case 'n': return '\n';
                case 'r': return '\r';
                case 't': return '\t';
                case 'u':
                    int code = 0;
                    for (int i = 0; i < 4; i++)
                    {
                        int digit = HexDigit(Take("a string that does not end"));
                        if (digit < 0) throw Error("expected four hexadecimal digits");
                        code = code * 16 + digit;
                    }
                    return (char)code;
                default: throw Error("an unknown escape");
            }
        }

        private static int HexDigit(char c)
        {
            if (c >= '0' && c <= '9') return c - '0';
            if (c >= 'a' && c <= 'f') return c - 'a' + 10;
            return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        }

        private char Peek()
        {
            for (; _at < _text.Length; _at++)
            {
                char c = _text[_at];
                if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return c;
            }
            return '\0';
        }

        private char Take(string otherwise)
        {
            if (_at == _text.Length) throw Error(otherwise);
            return _text[_at++];
        }

        private bool IsDigit() => _at < _text.Length && _text[_at] >= '0' && _text[_at] <= '9';

        private bool Accept(char c)
        {
            if (_at == _text.Length || _text[_at] != c) return false;
            _at++;
            return true;
        }

        private bool AcceptWord(string word)
        {
            Peek();
            if (string.CompareOrdinal(_text, _at, word, 0, word.Length) != 0) return false;
            _at += word.Length;
            return true;
        }

        private JsonException Error(string message) => new JsonException(message, _at);

        private static double[] MakePowersOfTen()
        {
            var powers = new double[309];
            for (int i = 0; i < powers.Length; i++) powers[i] = double.Parse("1e" + i, System.Globalization.CultureInfo.InvariantCulture);
            return powers;
        }
    }
}
