// The part of NetMQ 4 that the package uses, to compile it.
using System;

namespace NetMQ
{
    public class SocketOptions
    {
        public int ReceiveHighWatermark { get; set; }
        public long MaxMsgSize { get; set; }
        public TimeSpan Linger { get; set; }
    }

    public abstract class NetMQSocket : IDisposable
    {
        public SocketOptions Options { get; } = new SocketOptions();
        public void Connect(string address) { throw new NotSupportedException(); }
        public void Dispose() { }
    }

    public static class ReceivingSocketExtensions
    {
        public static bool TryReceiveFrameString(this NetMQSocket socket, TimeSpan timeout, out string frame)
        {
            throw new NotSupportedException();
        }
    }
}

namespace NetMQ.Sockets
{
    public class SubscriberSocket : NetMQSocket
    {
        public void SubscribeToAnyTopic() { }
    }
}

namespace AsyncIO
{
    public static class ForceDotNet
    {
        public static void Force() { }
    }
}
