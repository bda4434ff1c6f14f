#if TOKENMOCAP_NETMQ
using System;
using System.Threading;
using NetMQ;
using NetMQ.Sockets;

namespace TokenMocap
{
    /// <summary>The wire format's messages from ZeroMQ PUB. ZeroMQ connects again by itself.</summary>
    public sealed class NetMqConnection : IConnection
    {
        private const int QueuedMessages = 8; // a late pose is worth less than none
        private static readonly TimeSpan PollEvery = TimeSpan.FromSeconds(0.1);

        private readonly SubscriberSocket _socket = new SubscriberSocket();

        public NetMqConnection(Uri address)
        {
            AsyncIO.ForceDotNet.Force(); // Unity's players lack what AsyncIO would otherwise take from Windows
            _socket.Options.ReceiveHighWatermark = QueuedMessages;
            _socket.Options.MaxMsgSize = Connections.LongestMessage;
            _socket.Options.Linger = TimeSpan.Zero;
            _socket.SubscribeToAnyTopic();
            _socket.Connect("tcp://" + address.Host + ":" + address.Port);
        }

        public string Receive(CancellationToken stop)
        {
            while (true)
            {
                stop.ThrowIfCancellationRequested();
                if (_socket.TryReceiveFrameString(PollEvery, out string message)) return message;
            }
        }

        public void Dispose() => _socket.Dispose();
    }
}
#endif
