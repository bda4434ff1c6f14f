using System;
using System.Threading;

namespace TokenMocap
{
    /// <summary>An open way to one sender, used by one thread. Anything that goes wrong is thrown.</summary>
    public interface IConnection : IDisposable
    {
        /// <summary>Waits for the next message; null where the sender said goodbye.</summary>
        string Receive(CancellationToken stop);
    }

    /// <summary>An address that this receiver cannot use; trying again does not help.</summary>
    public sealed class AddressException : Exception
    {
        public AddressException(string message) : base(message) { }
    }

    public static class Connections
    {
        /// <summary>The longest message that is taken, in bytes; 256 people need less.</summary>
        public const int LongestMessage = 1 << 20;

        /// <summary>What opens `ws://host:port`, and with NetMQ `zmq://host:port`. Throws AddressException.</summary>
        public static Func<CancellationToken, IConnection> Opener(string address)
        {
            if (!Uri.TryCreate(address, UriKind.Absolute, out Uri uri) || uri.Host.Length == 0)
                throw new AddressException("'" + address + "' is no address: write it like ws://127.0.0.1:5556");
            switch (uri.Scheme)
            {
                case "ws":
                case "wss":
                    return stop => new WebSocketConnection(uri, stop);
                case "zmq":
#if TOKENMOCAP_NETMQ
                    return stop => new NetMqConnection(uri);
#else
                    throw new AddressException("zmq:// needs NetMQ and the scripting define TOKENMOCAP_NETMQ; " +
                        "or stream to ws://127.0.0.1:5556 and connect there");
#endif
                default:
                    throw new AddressException("'" + address + "': unknown scheme " + uri.Scheme + "; use ws://");
            }
        }
    }
}
